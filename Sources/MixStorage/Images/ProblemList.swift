import MixBasics

/// Collects what is wrong with many files or lines, to report the first few at once.
package struct ProblemList {
  private static let mostShown = 5
  private var shown: [String] = []
  private var count = 0
  private var code = MixGRPOError.Code.invalidFormat

  package init() {}

  package var isEmpty: Bool { count == 0 }

  /// Keeps a problem of the input, and throws an error of another kind, such as missing memory.
  package mutating func add(_ error: MixGRPOError) throws(MixGRPOError) {
    guard [.invalidFormat, .inputOutput, .invalidArgument].contains(error.code) else { throw error }
    if count == 0 { code = error.code }
    if count < Self.mostShown { shown.append(error.message) }
    count += 1
  }

  /// - Throws: one error that names the first problems and counts the others; its code is that of the first.
  package func throwIfAny(advice: String = "") throws(MixGRPOError) {
    guard count > 0 else { return }
    let more = count > shown.count ? "; and \(count - shown.count) more problems" : ""
    throw MixGRPOError(code, shown.joined(separator: "; ") + more + (advice.isEmpty ? "" : "; \(advice)"))
  }
}
