import MixGRPO

/// A request of HTTP/1.1, read strictly: what is unusual is refused.
struct HTTPRequest {
  let method: String
  /// The target up to `?`.
  let path: String
  /// By name in lower case.
  let headers: [String: String]
  var body: [UInt8] = []
  /// Bytes of the body.
  let bodyLength: Int

  static let maximumHead = 16 << 10
  static let maximumBody = 64 << 10
  static let endOfHead: [UInt8] = Array("\r\n\r\n".utf8)

  /// - Parameter head: the lines up to the empty one.
  /// - Throws: the answer to a request that is not understood, or whose body is too long.
  init(head: some Sequence<UInt8>) throws(HTTPAnswer) {
    guard let text = String(validating: Array(head), as: UTF8.self) else { throw HTTPAnswer(400, "expected text in UTF-8") }
    let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
    let words = lines.first?.split(separator: " ", omittingEmptySubsequences: false) ?? []
    guard words.count == 3, words[1].hasPrefix("/"), words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else {
      throw HTTPAnswer(400, "expected a request of HTTP/1.1")
    }
    (method, path) = (String(words[0]), String(words[1].prefix { $0 != "?" }))
    headers = try Self.headers(lines.dropFirst())
    guard headers["transfer-encoding"] == nil else { throw HTTPAnswer(411, "expected a body with a length") }
    bodyLength = try Self.length(headers["content-length"])
  }

  private static func headers(_ lines: some Sequence<Substring>) throws(HTTPAnswer) -> [String: String] {
    var headers: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), !line[..<colon].contains(where: \.isWhitespace) else {
        throw HTTPAnswer(400, "expected headers, got another line")
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      guard headers.updateValue(String(value), forKey: line[..<colon].lowercased()) == nil else {
        throw HTTPAnswer(400, "expected each header once")
      }
    }
    return headers
  }

  private static func length(_ text: String?) throws(HTTPAnswer) -> Int {
    guard let text else { return 0 }
    guard text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains), let length = UInt64(text) else {
      throw HTTPAnswer(text.count > 18 ? 413 : 400, "content-length: expected a number of bytes")
    }
    guard length <= maximumBody else { throw HTTPAnswer(413, "expected a body of at most \(maximumBody) bytes, got \(length)") }
    return Int(length)
  }
}

/// An answer of HTTP/1.1; the connection ends with it.
struct HTTPAnswer: Error {
  let status: Int
  let type: String
  let body: [UInt8]

  init(_ status: Int, type: String, _ body: [UInt8]) { (self.status, self.type, self.body) = (status, type, body) }

  /// A refusal in words.
  init(_ status: Int, _ message: String) {
    self.init(status, type: "text/plain; charset=utf-8", Array((message + "\n").utf8))
  }

  private static let reasons = [
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    409: "Conflict", 411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
  ]

  /// Nothing is loaded from elsewhere, kept, shown in a frame of another page, or named to other pages.
  private static let policy = """
    default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    """

  var bytes: [UInt8] {
    let head = """
      HTTP/1.1 \(status) \(Self.reasons[status] ?? "Error")\r
      Content-Type: \(type)\r
      Content-Length: \(body.count)\r
      Connection: close\r
      Cache-Control: no-store\r
      Content-Security-Policy: \(Self.policy)\r
      Cross-Origin-Resource-Policy: same-origin\r
      Referrer-Policy: no-referrer\r
      X-Content-Type-Options: nosniff\r
      \r

      """
    return Array(head.utf8) + body
  }
}
