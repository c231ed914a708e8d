import Dispatch
import MixBasics

/// Training as an asynchronous sequence of metrics, one element per iteration.
///
///     for try await metrics in trainer.iterations(20, prompts: { _ in [0, 1] }, reward: { part in [await score(part.samples)] }) {
///       print(metrics.rewardMean)
///     }
///
/// An iteration runs when its element is requested. Prompts are sampled one after another while earlier ones are scored, each
/// in its own task. Sampling and updating do not block the caller's actor. Results are identical to one rollout of all prompts.
///
/// Cancelling the iterating task stops the work within one model request, cancels the scoring tasks, and throws
/// `CancellationError`. Trainer and model are then as before the iteration (with `Undo.none` completed optimizer steps are
/// kept), and other work on the same context continues. An error thrown by a reward has the same effect. Either ends the
/// sequence; a new sequence continues from there.
///
/// The trainer and its model must not be used otherwise while an iteration runs.
public struct TrainingIterations: AsyncSequence {
  public typealias Element = IterationMetrics
  public typealias Failure = any Error
  /// Scores the samples of one prompt: (K, group size), NaN for a reward that failed.
  public typealias Reward = @Sendable (TicketedSamples) async throws -> [[Double]]

  let trainer: Trainer
  let count: Int?
  let prompts: (_ iteration: Int) -> [Int32]
  let weights: [Double]?
  let reward: Reward

  public func makeAsyncIterator() -> Iterator { Iterator(sequence: self, left: count) }

  /// Runs one iteration per call of `next`.
  public struct Iterator: AsyncIteratorProtocol {
    let sequence: TrainingIterations
    var left: Int?

    public mutating func next() async throws -> IterationMetrics? { try await next(isolation: nil) }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> IterationMetrics? {
      guard left != 0 else { return nil }
      do {
        let metrics = try await sequence.iterate(actor)
        left = left.map { $0 - 1 }
        return metrics
      } catch {
        left = 0
        throw error
      }
    }
  }
}

extension Trainer {
  /// The next iterations; each runs when its element is requested.
  /// - Parameters:
  ///   - count: number of iterations, 0 or more; nil for no limit.
  ///   - prompts: returns the prompts of an iteration, distinct rows of the trainer's prompts.
  ///   - weights: (K), the weight of each reward; nil for those of the configuration.
  ///   - reward: scores the samples of one prompt; called from several tasks at once.
  public func iterations(
    _ count: Int? = nil, prompts: @escaping (_ iteration: Int) -> [Int32], weights: [Double]? = nil,
    reward: @escaping TrainingIterations.Reward
  ) -> TrainingIterations {
    TrainingIterations(trainer: self, count: count.map { max($0, 0) }, prompts: prompts, weights: weights, reward: reward)
  }
}

// MARK: - One iteration

extension TrainingIterations {
  fileprivate func iterate(_ actor: isolated (any Actor)?) async throws -> IterationMetrics {
    let worker = TrainerWorker(trainer)
    let chosen = prompts(trainer.iteration)
    return try await withTaskCancellationHandler {
      do {
        return try await drawScoreAndUpdate(chosen, worker, actor)
      } catch {
        await worker.giveUp()
        throw worker.isStopped ? CancellationError() : error
      }
    } onCancel: {
      worker.stop()
    }
  }

  private func drawScoreAndUpdate(
    _ chosen: [Int32], _ worker: TrainerWorker, _ actor: isolated (any Actor)?
  ) async throws -> IterationMetrics {
    let (reward, weights) = (reward, weights)
    return try await withThrowingTaskGroup(of: Void.self) { scores in
      for prompt in chosen {
        let part = try await worker.draw(prompt)
        scores.addTask { try worker.inbox.submit(try await reward(part), for: part.ticket) }
      }
      try await scores.waitForAll()
      return try await worker.update(weights)
    }
  }
}

/// Runs the trainer on a separate thread, with a cancellation that affects only this work.
private final class TrainerWorker: @unchecked Sendable {
  // Safe without a lock: the iteration awaits each call before the next.
  private let trainer: Trainer
  private let context: RunContext
  let inbox: RewardInbox

  init(_ trainer: Trainer) {
    (self.trainer, inbox) = (trainer, trainer.inbox)
    context = RunContext(childOf: trainer.context)
  }

  func stop() { context.cancel() }
  var isStopped: Bool { context.isCancelled && !trainer.context.isCancelled }

  func draw(_ prompt: Int32) async throws -> TicketedSamples {
    try await run { try $0.ticketedRollout(prompts: [prompt]) }
  }

  func update(_ weights: [Double]?) async throws -> IterationMetrics {
    try await run { try $0.updateFromTickets(weights: weights) }
  }

  func giveUp() async { _ = try? await run { $0.dropTickets() } }

  private func run<Result: Sendable>(_ work: @escaping @Sendable (Trainer) throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async { [self] in
        continuation.resume(with: Swift.Result { try trainer.with(context) { try work($0) } })
      }
    }
  }
}
