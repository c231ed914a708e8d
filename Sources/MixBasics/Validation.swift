/// Collects every problem of a configuration, so that a user sees all of them at once.
public struct Validation {
  private var problems: [String] = []

  public init() {}

  public mutating func require(_ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any) {
    if !holds { problems.append("\(field()): expected \(expected()), got \(got())") }
  }

  /// Adds the problems of a part, so that nested configurations report together.
  public mutating func include(_ check: () throws(MixGRPOError) -> Void) {
    do { try check() } catch { problems.append(error.message) }
  }

  /// Throws one `invalidArgument` that lists all problems, separated by "; ".
  public func throwIfAny() throws(MixGRPOError) {
    if !problems.isEmpty { throw MixGRPOError(.invalidArgument, problems.joined(separator: "; ")) }
  }
}

/// Checks one value outside a collected validation.
public func require(
  _ holds: Bool, _ field: @autoclosure () -> String, expected: @autoclosure () -> String, got: @autoclosure () -> Any
) throws(MixGRPOError) {
  if !holds { throw .invalid(field(), expected: expected(), got: got()) }
}
