import Dispatch
import MixBasics

/// Training as an asynchronous sequence of figures, one element per iteration.
///
///     for try await metrics in trainer.iterations(20, prompts: { _ in [0, 1] }, reward: { part in [await score(part.samples)] }) {
///       print(metrics.rewardMean)
///     }
///
/// An iteration runs when its figures are asked for. Prompts are drawn one after the other while earlier ones are scored, each
/// in a task of its own. Drawing and updating leave the caller's actor free. The numbers are those of a rollout of all prompts.
///
/// Cancelling the task that iterates stops the work within one request to the model, cancels the scores, and throws
/// `CancellationError`; trainer and model are then as before that iteration (with `Undo.none` the optimizer steps that were
/// finished stay), and other work on the same context goes on. What a reward throws comes out in the same way. Either ends the
/// sequence; another one goes on from there.
///
/// While an iteration runs, nothing else may use the trainer or change its model.
public struct TrainingIterations: AsyncSequence {
  public typealias Element = IterationMetrics
  public typealias Failure = any Error
  /// Scores of one prompt's samples: (K, group size), NaN for a reward that failed.
  public typealias Reward = @Sendable (TicketedSamples) async throws -> [[Double]]

  let trainer: Trainer
  let count: Int?
  let prompts: (_ iteration: Int) -> [Int32]
  let weights: [Double]?
  let reward: Reward

  public func makeAsyncIterator() -> Iterator { Iterator(sequence: self, left: count) }

  /// One run through the iterations; each `next` is one of them.
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
  /// Iterations to come, each of which runs when it is asked for.
  /// - Parameters:
  ///   - count: how many, 0 or more; nil: as many as are asked for.
  ///   - prompts: the prompts of an iteration, different rows of the trainer's.
  ///   - weights: (K) of the rewards; nil: those of the configuration.
  ///   - reward: scores the samples of one prompt; called in several tasks at once.
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

/// The trainer on a thread of its own while its user waits, and a stop that concerns this work alone.
private final class TrainerWorker: @unchecked Sendable {
  // Only one call at a time: the iteration awaits each before the next.
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
