import Dispatch
import MixGRPO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the process at once.
enum StopSignals {
  /// What a process that a signal stopped says.
  static let exitCode: Int32 = 130

  /// Call before other threads are made: they inherit that the signals are blocked, so that only this watch takes them.
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

  /// Whether a second signal came before the first was answered: the run could save, which nobody wants any more.
  private static var isAnotherPending: Bool {
    var pending = sigset_t()
    sigemptyset(&pending)
    sigpending(&pending)
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1
  }
}
