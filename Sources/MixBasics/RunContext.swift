import Synchronization

/// How long work runs and how its host hears of it: threads, progress and a sticky cancel.
///
/// A context belongs to the host that made it; there is no process-wide state. `cancel` may be called from any thread, also
/// before the work begins; it stays in force until `resetCancel`.
public final class RunContext: Sendable {
  /// Worker threads for rollouts and updates, at least 1. Results do not depend on it.
  public let threads: Int
  private let cancelled = Atomic<Bool>(false)
  private let parent: RunContext?

  /// - Parameter threads: 1…1024, or 0 (the default) for one per available core.
  /// - Throws: `invalidArgument`; `unsupported` when the processor lacks the instructions the kernels are compiled for.
  public init(threads: Int = 0) throws(MixGRPOError) {
    try Processor.requireInstructions()
    try require((0...1024).contains(threads), "threads", expected: "0…1024", got: threads)
    self.threads = threads == 0 ? Processor.availableCores : threads
    parent = nil
  }

  /// A context with the same threads, which a cancel of `parent` stops too; its own cancel stops nothing else.
  public init(childOf parent: RunContext) {
    (threads, self.parent) = (parent.threads, parent)
  }

  /// Stops the work of this context, and what begins later, until `resetCancel`. From any thread.
  public func cancel() { cancelled.store(true, ordering: .releasing) }
  /// Takes the cancel back; a parent's stays in force. From any thread.
  public func resetCancel() { cancelled.store(false, ordering: .releasing) }
  /// Whether this context or its parent is cancelled.
  public var isCancelled: Bool { cancelled.load(ordering: .acquiring) || parent?.isCancelled == true }

  /// - Throws: `cancelled` when this context or its parent is.
  public func checkCancelled() throws(MixGRPOError) {
    if isCancelled { throw MixGRPOError(.cancelled, "cancelled: stopped at the host's request") }
  }
}
