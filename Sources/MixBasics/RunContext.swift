import Synchronization

/// Threads and a sticky cancellation flag for long calls.
///
/// A context belongs to the host that created it; there is no process-wide state. `cancel` may be called from any thread, also
/// before the work begins; it stays in force until `resetCancel`.
public final class RunContext: Sendable {
  /// Worker threads for rollouts and updates, at least 1. Results do not depend on it.
  public let threads: Int
  private let cancelled = Atomic<Bool>(false)
  private let parent: RunContext?

  /// - Parameter threads: 1…1024, or 0 (the default) for one per available core.
  /// - Throws: `invalidArgument`; `unsupported` when the processor lacks instructions that the kernels are compiled for.
  public init(threads: Int = 0) throws(MixGRPOError) {
    try Processor.requireInstructions()
    try require((0...1024).contains(threads), "threads", expected: "0…1024", got: threads)
    self.threads = threads == 0 ? Processor.availableCores : threads
    parent = nil
  }

  /// Creates a context whose work stops with its parent's. Cancelling it does not affect the parent.
  public init(childOf parent: RunContext) {
    (threads, self.parent) = (parent.threads, parent)
  }

  /// A child with one thread, for work that is spread over the cores in another way.
  package init(oneThreadOf parent: RunContext) {
    (threads, self.parent) = (1, parent)
  }

  /// Cancels current and later work of this context until `resetCancel`. May be called from any thread.
  public func cancel() { cancelled.store(true, ordering: .releasing) }
  /// Clears this context's cancellation; the parent's stays in force. May be called from any thread.
  public func resetCancel() { cancelled.store(false, ordering: .releasing) }
  /// Whether this context or its parent is cancelled.
  public var isCancelled: Bool { cancelled.load(ordering: .acquiring) || parent?.isCancelled == true }

  /// - Throws: `cancelled` when this context or its parent is.
  public func checkCancelled() throws(MixGRPOError) {
    if isCancelled { throw MixGRPOError(.cancelled, "cancelled: stopped at the host's request") }
  }
}
