import Dispatch
import MixBasics
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ctrl-C, SIGTERM, SIGHUP and a closed pipe: the first stops the run after saving; a later Ctrl-C or SIGTERM ends the process at
/// once.
package enum StopSignals {
  /// Exit code of a process stopped by a signal.
  package static let exitCode: Int32 = 130
  /// Signals this soon after the first are the same stop: `timeout` signals the process and its group.
  package static let sameStop = Duration.milliseconds(500)

  private struct Watched {
    let context: RunContext
    var stoppedAt: ContinuousClock.Instant?

    /// - Returns: whether this is the first stop.
    mutating func stop() -> Bool {
      guard stoppedAt == nil else { return false }
      stoppedAt = .now
      context.cancel()
      return true
    }
  }
  private static let watched = Mutex<Watched?>(nil)

  /// Call before other threads are created: they inherit the blocked signals, so that only this watcher receives them.
  package static func watch(_ context: RunContext, onFirst: @escaping @Sendable () -> Void) {
    watched.withLock { $0 = Watched(context: context) }
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] + (isHangUpIgnored ? [] : [SIGHUP]) { sigaddset(&signals, number) }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    DispatchQueue(label: "stop signals").async { [signals] in
      var awaited = signals
      while true {
        var received: Int32 = 0
        guard sigwait(&awaited, &received) == 0 else { continue }
        if watched.withLock({ $0?.stop() ?? false }) { onFirst() } else if isAnother(received) { LastSteps.end(exitCode) }
      }
    }
  }

  /// Call when nobody reads the output any more.
  package static func outputIsClosed() { watched.withLock { _ = $0?.stop() } }

  /// `nohup` starts a program with SIGHUP ignored.
  private static var isHangUpIgnored: Bool {
    var action = sigaction()
    return sigaction(SIGHUP, nil, &action) == 0
      && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// A terminal that closes may send SIGHUP more than once.
  private static func isAnother(_ signal: Int32) -> Bool {
    guard signal != SIGHUP, let first = watched.withLock({ $0?.stoppedAt }) else { return false }
    return .now - first > sameStop
  }
}
