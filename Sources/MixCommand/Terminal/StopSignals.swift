import Dispatch
import MixGRPO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ctrl-C and SIGTERM: the first stops the run after saving, the second ends the process at once.
enum StopSignals {
  /// Exit code of a process stopped by a signal.
  static let exitCode: Int32 = 130

  /// Call before other threads are created: they inherit the blocked signals, so that only this watcher receives them.
  static func watch(_ context: RunContext, onFirst: @escaping @Sendable () -> Void) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    DispatchQueue(label: "stop signals").async { [signals] in
      var awaited = signals
      while true {
        var received: Int32 = 0
        guard sigwait(&awaited, &received) == 0 else { continue }
        if context.isCancelled || isAnotherPending { LastSteps.end(exitCode) }
        context.cancel()
        onFirst()
      }
    }
  }

  /// Whether a second signal arrived before the first was handled; then the process ends without saving.
  private static var isAnotherPending: Bool {
    var pending = sigset_t()
    sigemptyset(&pending)
    sigpending(&pending)
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1
  }
}
