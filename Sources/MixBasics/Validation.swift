/// Collects all problems of a configuration, so that the user sees them at once.
package struct Validation {
  private var problems: [String] = []
  /// An error of another kind than a wrong value, such as missing memory.
  private var fault: MixGRPOError?

  package init() {}

  package mutating func require(
    _ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any
  ) {
    if !holds { problems.append("\(field()): expected \(expected()), got \(got())") }
  }

  /// Adds the problems of a nested configuration, so that all are reported together.
  package mutating func include(_ check: () throws(MixGRPOError) -> Void) {
    do { try check() } catch {
      if error.code == .invalidArgument { problems.append(error.message) } else { fault = fault ?? error }
    }
  }

  /// Throws one `invalidArgument` that lists all problems, separated by "; ". An error of another kind takes precedence.
  package func throwIfAny() throws(MixGRPOError) {
    if let fault { throw fault }
    if !problems.isEmpty { throw MixGRPOError(.invalidArgument, problems.joined(separator: "; ")) }
  }
}

/// Checks a single value and throws at once.
package func require(
  _ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any
) throws(MixGRPOError) {
  if !holds { throw .invalid(field(), expected: expected(), got: got()) }
}
