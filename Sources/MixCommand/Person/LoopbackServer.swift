import MixGRPO

#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// A small HTTP server for programs on this machine: one request in a connection, heads of at most 16 KiB, bodies of at most 64 KiB,
/// 32 connections at once, a thread and ten seconds for each. What is more is refused, so that no request can make the run wait or take its
/// memory.
final class LoopbackServer: Sendable {
  typealias Answer = @Sendable (HTTPRequest) -> HTTPAnswer

  let port: Int
  private let listener: Int32
  private let answer: Answer
  private let connections = Guarded(0)
  private static let maximumConnections = 32
  private static let secondsPerRequest = 10

  /// Listens on 127.0.0.1.
  /// - Parameter port: 0 for any that is free.
  /// - Throws: `inputOutput` when the port is in use.
  init(port: Int, answer: @escaping Answer) throws(MixGRPOError) {
    self.answer = answer
    (listener, self.port) = try Self.listen(port)
    Self.startThread { [self] in acceptAll() }
  }

  /// Takes no more connections.
  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  // MARK: - Connections

  private func acceptAll() {
    while true {
      let connection = accept(listener, nil, nil)
      if connection < 0 {
        if errno == EINVAL || errno == EBADF { break }
        usleep(10_000)  // such as no free descriptor: a later try may succeed
        continue
      }
      _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
      let isOne = connections.withLock { count in
        count += 1
        return count <= Self.maximumConnections
      }
      let isServed =
        isOne
        && Self.startThread { [self] in
          serve(connection)
          end(connection)
        }
      if !isServed { end(connection) }
    }
    close(listener)
  }

  private func end(_ connection: Int32) {
    close(connection)
    connections.withLock { $0 -= 1 }
  }

  private final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// A thread of its own, which may wait: the threads of Dispatch are few.
  /// - Returns: whether it could be started.
  @discardableResult
  private static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let work = Unmanaged.passRetained(Work(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, work.toOpaque())
    if code != 0 { work.release() }
    return code == 0
  }

  private func serve(_ connection: Int32) {
    var limit = timeval(tv_sec: Self.secondsPerRequest, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(connection, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    do throws(HTTPAnswer) {
      guard let request = try Self.receive(connection) else { return }
      Self.send(answer(request).bytes, connection)
    } catch {
      Self.send(error.bytes, connection)
      Self.drain(connection)
    }
  }

  /// The request; nil when the other side has gone.
  private static func receive(_ connection: Int32) throws(HTTPAnswer) -> HTTPRequest? {
    let deadline = ContinuousClock.now + .seconds(secondsPerRequest)
    var bytes: [UInt8] = []
    while true {
      if let end = place(of: HTTPRequest.endOfHead, in: bytes) {
        var request = try HTTPRequest(head: bytes[..<end])
        request.body = Array(bytes[(end + HTTPRequest.endOfHead.count)...])
        while request.body.count < request.bodyLength {
          guard let piece = try receivePiece(connection, deadline) else { return nil }
          request.body += piece
        }
        guard request.body.count == request.bodyLength else { throw HTTPAnswer(400, "expected one request") }
        return request
      }
      guard bytes.count <= HTTPRequest.maximumHead else {
        throw HTTPAnswer(431, "expected a head of at most \(HTTPRequest.maximumHead) bytes")
      }
      guard let piece = try receivePiece(connection, deadline) else { return nil }
      bytes += piece
    }
  }

  private static func receivePiece(
    _ connection: Int32, _ deadline: ContinuousClock.Instant
  ) throws(HTTPAnswer) -> [UInt8]? {
    var piece = [UInt8](repeating: 0, count: 1 << 12)
    let count = recv(connection, &piece, piece.count, 0)
    let code = errno
    guard ContinuousClock.now < deadline, count >= 0 || code == EINTR else {
      throw HTTPAnswer(408, "expected a request within \(secondsPerRequest) seconds")
    }
    if count < 0 { return [] }
    return count == 0 ? nil : Array(piece[..<count])
  }

  private static func place(of mark: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= mark.count else { return nil }
    return (0...bytes.count - mark.count).first { start in bytes[start..<start + mark.count].elementsEqual(mark) }
  }

  private static func send(_ bytes: [UInt8], _ connection: Int32) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 { sent += count } else if count == 0 || errno != EINTR { return }
    }
  }

  /// Reads on for a moment, so that the answer arrives: a connection that is closed with unread bytes is reset.
  private static func drain(_ connection: Int32) {
    shutdown(connection, Int32(SHUT_WR))
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var piece = [UInt8](repeating: 0, count: 1 << 14)
    for _ in 0..<256 where recv(connection, &piece, piece.count, 0) <= 0 { return }
  }

  // MARK: - The port

  private static func listen(_ port: Int) throws(MixGRPOError) -> (listener: Int32, port: Int) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw FileAccess.failure("person.port", expected: "a socket", code: errno) }
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) } == 0
    }
    guard isBound, Glibc.listen(listener, 16) == 0 else {
      let code = errno
      close(listener)
      let isTaken = code == EADDRINUSE || code == EACCES
      throw FileAccess.failure(
        "person.port", expected: "a free port\(isTaken ? "; choose another than \(port), or 0 for any" : "")", code: code)
    }
    var length = size
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
    }
    return (listener, Int(UInt16(bigEndian: address.sin_port)))
  }
}
