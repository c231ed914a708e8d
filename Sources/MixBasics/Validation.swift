/// Collects every problem of a configuration, so that a user sees all of them at once.
package struct Validation {
  private var problems: [String] = []
  /// Of another kind than a wrong value, such as missing memory.
  private var fault: MixGRPOError?

  package init() {}

  package mutating func require(
    _ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any
  ) {
    if !holds { problems.append("\(field()): expected \(expected()), got \(got())") }
  }

  /// Adds the problems of a part, so that nested configurations report together.
  package mutating func include(_ check: () throws(MixGRPOError) -> Void) {
    do { try check() } catch {
      if error.code == .invalidArgument { problems.append(error.message) } else { fault = fault ?? error }
    }
  }

  /// Throws one `invalidArgument` that lists all problems, separated by "; "; a fault of another kind before them.
  package func throwIfAny() throws(MixGRPOError) {
    if let fault { throw fault }
    if !problems.isEmpty { throw MixGRPOError(.invalidArgument, problems.joined(separator: "; ")) }
  }
}

/// Checks one value outside a collected validation.
package func require(
  _ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any
) throws(MixGRPOError) {
  if !holds { throw .invalid(field(), expected: expected(), got: got()) }
}
