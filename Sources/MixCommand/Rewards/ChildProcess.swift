import MixGRPO
import MixTerminal

#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// A child process that answers lines with lines. It has its own process group, so that Ctrl-C in a terminal does not end it
/// before the command has stopped. It ends with its owner.
final class ChildProcess {
  /// The command, as errors name it.
  private let name: String
  /// What errors say about words that only a shell understands.
  private let advice: String
  private let process: pid_t
  private var input: Int32
  private let output: Int32
  private var buffer: [UInt8] = []
  /// The status from waitpid, once the process is reaped.
  private var status: Int32 = 0
  private var isReaped = false
  private let lastStep: Int
  private var isAtEnd = false

  private static let longestLine = 1 << 16
  /// Milliseconds between checks for cancellation.
  private static let pollInterval: Int32 = 50

  /// - Parameters:
  ///   - command: the program, searched in PATH, and its arguments.
  ///   - directory: the folder in which it is started; empty for the current one.
  /// - Throws: `inputOutput` when it cannot be started.
  init(_ command: [String], in directory: String) throws(MixGRPOError) {
    (name, advice) = (CommandWords.line(command), CommandWords.advice(command))
    var (toChild, fromChild): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
      throw FileAccess.failure(name, expected: "pipes to the program", code: errno)
    }
    for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let started = LastSteps.beforeEnd { table in
      let (process, code) = Self.spawn(command, in: directory, input: toChild[0], output: fromChild[1])
      return (process: process, code: code, lastStep: code == 0 ? table.add { kill(-process, SIGKILL) } : 0)
    }
    close(toChild[0])
    close(fromChild[1])
    (input, output) = (toChild[1], fromChild[0])
    (process, lastStep) = (started.process, started.lastStep)
    guard started.code == 0 else {
      isReaped = true
      let error = FileAccess.failure(name, expected: "a program that can be started", code: started.code)
      let hint = CommandWords.startAdvice(command, in: directory, code: started.code)
      throw MixGRPOError(error.code, error.message + hint)
    }
    signal(SIGPIPE, SIG_IGN)
    _ = fcntl(input, F_SETFL, O_NONBLOCK)
    _ = fcntl(output, F_SETFL, O_NONBLOCK)
  }

  deinit {
    closeInput()
    close(output)
    if !isReaped { end() }
    LastSteps.remove(lastStep)
  }

  // MARK: - Starting and ending

  private static func spawn(
    _ command: [String], in directory: String, input: Int32, output: Int32
  ) -> (process: pid_t, code: Int32) {
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    if !directory.isEmpty { _ = startIn(&files, directory) }
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    setSignals(&attributes)
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var environment = Self.environment()
    defer { for variable in environment { free(variable) } }
    var process = pid_t(0)
    let code = posix_spawnp(&process, command.first ?? "", &files, &attributes, &arguments, &environment)
    return (process, code)
  }

  /// Restores the default signal handling and gives the program its own process group.
  private static func setSignals(_ attributes: inout posix_spawnattr_t) {
    var none = sigset_t()
    var standard = sigset_t()
    sigemptyset(&none)
    sigemptyset(&standard)
    for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&standard, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &standard)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))
  }

  /// This process's environment, plus PYTHONUNBUFFERED so that Python does not buffer its output.
  private static func environment() -> [UnsafeMutablePointer<CChar>?] {
    var entries: [UnsafeMutablePointer<CChar>?] = []
    var next = environ
    while let entry = next.pointee {
      if strncmp(entry, "PYTHONUNBUFFERED=", 17) != 0 { entries.append(strdup(entry)) }
      next += 1
    }
    return entries + [strdup("PYTHONUNBUFFERED=1"), nil]
  }

  /// Waits up to two seconds for the program to exit, then kills it and its children.
  private func end() {
    for _ in 0..<200 {
      if reap() { return }
      usleep(10_000)
    }
    kill(-process, SIGKILL)
    while !reap() { usleep(1_000) }
  }

  private func reap() -> Bool {
    if isReaped { return true }
    var code: Int32 = 0
    let result = waitpid(process, &code, WNOHANG)
    if result == 0 || result < 0 && errno == EINTR { return false }
    status = code
    isReaped = true
    return true
  }

  private func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  // MARK: - Exchanging lines

  /// Sends `lines` and receives `replies` lines concurrently, so that neither side blocks on a full pipe.
  /// - Parameter closingInput: close the program's input after the lines.
  /// - Throws: `inputOutput` when the program ends early, times out or prints extra lines; `cancelled`. The process must not be
  ///   used after an error.
  func exchange(
    _ lines: [UInt8], replies: Int, closingInput: Bool, timeout: Double, _ context: RunContext
  ) throws(MixGRPOError) -> [String] {
    try requireSilence(expected: "a line only after a picture")
    let deadline = ContinuousClock.now + .seconds(timeout)
    var sent = 0
    while countLines() < replies {
      try context.checkCancelled()
      if isAtEnd { throw endedEarly(expected: replies) }
      guard ContinuousClock.now < deadline else { throw late(expected: replies, timeout) }
      wait(forRoom: sent < lines.count)
      send(lines, &sent)
      if sent == lines.count && closingInput { closeInput() }
      try receive()
    }
    let answers = takeLines(replies)
    try requireSilence(expected: "one line for each of \(replies) pictures", after: answers)
    return answers
  }

  private func wait(forRoom isSending: Bool) {
    var places = [pollfd(fd: output, events: Int16(POLLIN), revents: 0)]
    if isSending && input >= 0 { places.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
    poll(&places, nfds_t(places.count), Self.pollInterval)
  }

  /// A program that has closed its input may still answer; whether it has ended shows at its output.
  private func send(_ lines: [UInt8], _ sent: inout Int) {
    guard input >= 0, sent < lines.count else { return }
    let count = lines.withUnsafeBytes { write(input, $0.baseAddress.map { $0 + sent }, $0.count - sent) }
    if count > 0 { sent += count }
    if count < 0 && errno == EPIPE { closeInput() }
  }

  /// Takes what has come, at most a mebibyte: a program that never stops writing must not keep time limit and cancel waiting.
  private func receive() throws(MixGRPOError) {
    var piece = [UInt8](repeating: 0, count: 1 << 14)
    for _ in 0..<64 {
      let count = read(output, &piece, piece.count)
      if count == 0 { isAtEnd = true }
      guard count > 0 else { break }
      buffer += piece[..<count]
    }
    let newline = UInt8(ascii: "\n")
    if isAtEnd, let last = buffer.last, last != newline { buffer.append(newline) }
    let lastLine = buffer.count - ((buffer.lastIndex(of: newline) ?? -1) + 1)
    guard lastLine <= Self.longestLine else {
      throw MixGRPOError(.inputOutput, "\(name): expected lines of at most \(Self.longestLine) bytes, got a longer one")
    }
  }

  private func countLines() -> Int { buffer.reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 } }

  private func takeLines(_ count: Int) -> [String] {
    let pieces = buffer.split(separator: UInt8(ascii: "\n"), maxSplits: count, omittingEmptySubsequences: false)
    buffer = Array(pieces.dropFirst(count).first ?? [])
    return pieces.prefix(count).map { String(decoding: $0, as: UTF8.self) }
  }

  // MARK: - Errors

  /// A line too many is rarely the last one: the first that is no answer explains the others.
  private func requireSilence(expected: String, after answers: [String] = []) throws(MixGRPOError) {
    if !isAtEnd { try receive() }
    guard !buffer.isEmpty else { return }
    let extra = String(decoding: buffer.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    let message = (answers + [extra]).first { RewardAnswer($0) == nil }
    let hint = message == nil ? "" : "; print messages to standard error"
    throw MixGRPOError(
      .inputOutput, "\(name): expected \(expected), got the extra line \"\((message ?? extra).prefix(80))\"\(hint)\(advice)")
  }

  private func endedEarly(expected replies: Int) -> MixGRPOError {
    let answered = countLines()
    for _ in 0..<100 where !reap() { usleep(10_000) }
    let end =
      !isReaped
      ? "it closed its output"
      : status & 0x7F != 0 ? "signal \(status & 0x7F) ended it" : "it ended with exit code \(status >> 8 & 0xFF)"
    return MixGRPOError(.inputOutput, "\(name): expected \(replies) lines, got \(answered) before \(end)\(advice)")
  }

  private func late(expected replies: Int, _ timeout: Double) -> MixGRPOError {
    let answered = countLines()
    kill(-process, SIGKILL)
    return MixGRPOError(
      .inputOutput,
      "\(name): expected \(replies) lines within \(timeout) seconds (timeout_seconds), got \(answered); "
        + "does it flush its output after each line?\(advice)")
  }
}

/// `posix_spawn_file_actions_addchdir_np`, which the C library declares only for programs that ask for GNU extensions.
@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func startIn(_ files: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ folder: UnsafePointer<CChar>) -> Int32
