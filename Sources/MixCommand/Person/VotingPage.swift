import MixGRPO

/// Answers the requests of the page: docs/voting-protocol.md.
struct VotingPage: Sendable {
  /// In the address; whoever does not know it gets nothing.
  let secret: String
  let session: VotingSession

  init(session: VotingSession) {
    var random = SystemRandomNumberGenerator()
    let words = [random.next(), random.next()].map { (word: UInt64) in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    (secret, self.session) = (words.joined(), session)
  }

  func address(port: Int) -> String { "http://127.0.0.1:\(port)/\(secret)/" }

  func answer(_ request: HTTPRequest) -> HTTPAnswer {
    // A page of another site may name this machine by a name of its own; the browser then sends that name.
    let host = request.headers["host"] ?? ""
    guard Self.isThisMachine(host) else { return HTTPAnswer(403, "host: expected 127.0.0.1 or localhost") }
    let parts = request.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
    guard let first = parts.first, isSecret(first) else { return HTTPAnswer(404, "nothing is here") }
    if parts.count == 1 { return HTTPAnswer(404, "the address of the page ends in a slash") }
    switch request.method {
    case "GET": return get(Array(parts.dropFirst()))
    case "POST": return post(Array(parts.dropFirst()), request)
    default: return HTTPAnswer(405, "expected GET or POST")
    }
  }

  /// A name of this machine, with any port: a tunnel may have its own.
  private static func isThisMachine(_ host: String) -> Bool {
    let parts = host.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count <= 2 && ["127.0.0.1", "localhost"].contains(parts.first.map { $0.lowercased() })
      && parts.dropFirst().allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) }
  }

  /// Takes the same time wherever the first wrong character stands.
  private func isSecret(_ text: String) -> Bool {
    text.utf8.count == secret.utf8.count && zip(text.utf8, secret.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private func get(_ parts: [String]) -> HTTPAnswer {
    let numbers = parts.dropFirst().map { Int($0) ?? -1 }
    switch (parts.first, numbers.count) {
    case ("", 0): return HTTPAnswer(200, type: "text/html; charset=utf-8", PackageResources.person_html)
    case ("state", 0): return Self.json(200, session.state())
    case ("picture", 2): return Self.png(session.picture(group: numbers[0], member: numbers[1]))
    case ("grid", 1): return Self.png(session.grid(iteration: numbers[0]))
    default: return HTTPAnswer(404, "nothing is here")
    }
  }

  /// A form of another page cannot send JSON without asking first, and its origin is another one.
  private func post(_ parts: [String], _ request: HTTPRequest) -> HTTPAnswer {
    let type = request.headers["content-type"]?.prefix { $0 != ";" }.lowercased()
    guard type == "application/json" else { return HTTPAnswer(415, "expected application/json") }
    if let origin = request.headers["origin"], origin != "http://\(request.headers["host"] ?? "")" {
      return HTTPAnswer(403, "expected a request of this page")
    }
    do throws(VotingSession.Refusal) {
      let object = try Self.object(request.body)
      switch parts {
      case ["vote"]: try session.vote(object)
      case ["undo"]: try session.undo(object)
      case ["stop"]: session.stop()
      default: return HTTPAnswer(404, "nothing is here")
      }
      return Self.json(200, session.state())
    } catch {
      return Self.refusal(error)
    }
  }

  private static func object(_ body: [UInt8]) throws(VotingSession.Refusal) -> JSONObject {
    let value: JSONValue
    do { value = try JSONParser.parse(body, source: "body") } catch { throw .invalid(error.message) }
    guard let object = value.object else { throw .invalid("body: expected an object, got \(value.kind)") }
    return object
  }

  private static func refusal(_ refusal: VotingSession.Refusal) -> HTTPAnswer {
    switch refusal {
    case .late(let message): json(409, ["error": .string(message)])
    case .invalid(let message): json(400, ["error": .string(message)])
    case .notStored(let message): json(500, ["error": .string(message)])
    }
  }

  private static func json(_ status: Int, _ object: JSONObject) -> HTTPAnswer {
    do throws(MixGRPOError) {
      return HTTPAnswer(status, type: "application/json", Array(try JSONValue.object(object).text().utf8))
    } catch {
      return HTTPAnswer(500, error.message)
    }
  }

  private static func png(_ file: [UInt8]?) -> HTTPAnswer {
    file.map { HTTPAnswer(200, type: "image/png", $0) } ?? HTTPAnswer(404, "this picture is gone")
  }
}
