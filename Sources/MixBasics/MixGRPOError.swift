/// Every error of the library: a stable code and one line that names the field, what was expected and what was given.
public struct MixGRPOError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Raw values are the status codes of the C ABI.
  public enum Code: Int32, Sendable, CaseIterable {
    /// The host cancelled a long call; the state is as before the call.
    case cancelled = 1
    /// A value is outside its range, of the wrong size, or not finite.
    case invalidArgument = -1
    /// The call is out of order, such as a submit without a request.
    case invalidState = -2
    /// A caller's buffer is smaller than what would be written.
    case bufferTooSmall = -3
    /// The machine, its limits or a budget do not have the bytes that are needed.
    case outOfMemory = -4
    /// The operating system refused to read or write.
    case inputOutput = -5
    /// A file's content does not follow its format.
    case invalidFormat = -6
    /// A valid request that this build or machine cannot serve.
    case unsupported = -7
    /// A result is NaN or infinite; it was not applied.
    case notFinite = -8
    /// A bug in the library itself.
    case internalFault = -9
    /// An update would change the model too much; it was not applied.
    case diverged = -10
  }

  /// The kind of error.
  public let code: Code
  /// One line of bounded length, without characters that a terminal would obey.
  public let message: String
  public var description: String { message }

  /// Creates an error with one line. Control characters and others that a terminal would obey become escapes such as `\u{1b}`, and
  /// longer messages are truncated.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = Self.oneLine(message)
  }

  /// Bytes. Longer messages are truncated.
  private static let longest = 8192

  /// Text from files may contain line breaks, terminal escape sequences, or no end.
  private static func oneLine(_ text: String) -> String {
    if text.utf8.count > longest { return bounded(Printable.text(text, limit: longest / 4)) }
    return bounded(Printable.text(text))
  }

  /// Escapes take more bytes than what they stand for.
  private static func bounded(_ text: String) -> String {
    text.utf8.count <= longest ? text : String(text.unicodeScalars.prefix(longest / 4)) + "…"
  }

  /// `field: expected …, got …`
  public static func invalid(_ field: String, expected: String, got: some Any) -> MixGRPOError {
    MixGRPOError(.invalidArgument, "\(field): expected \(expected), got \(got)")
  }
}
