import Dispatch
import MixBasics
import MixSampling

/// Samples whose rewards may be submitted later.
public struct TicketedSamples: Sendable {
  /// The ticket for submitting their rewards.
  public let ticket: RolloutTicket
  /// The prompt indices of the samples.
  public let prompts: [Int32]
  /// Values at σ = 0, (prompts · group size, tokens, channels).
  public let samples: [Float]
}

/// An iteration of several rollouts, so that some samples are scored while others are sampled:
///
///     let first = try trainer.ticketedRollout(prompts: [0])
///     let scoring = Task { try inbox.submit([await score(first.samples)], for: first.ticket) }
///     let second = try trainer.ticketedRollout(prompts: [1])   // meanwhile
///     …
///     let metrics = try trainer.updateFromTickets()
///
/// Results are bit-identical to one rollout of all prompts in the order of the tickets.
extension Trainer {
  /// Samples a group for each prompt and returns a ticket, with which rewards are submitted to `inbox`. A pending rollout
  /// without a ticket is discarded.
  /// - Parameters:
  ///   - chosen: distinct rows of `prompts`, none of which has a ticket in this iteration.
  ///   - progress: called with the number of latents of this rollout evaluated so far and in total.
  /// - Throws: `invalidArgument`, also when the window has changed since the iteration's first ticket; `cancelled`,
  ///   `notFinite`; `outOfMemory`, also when all prompts of the iteration together exceed `maxBytes`; `invalidState` after an
  ///   update that stopped with `Undo.none`, until it is finished or the tickets are dropped.
  public func ticketedRollout(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> TicketedSamples {
    let size = try product(chosen.count, sampling.groupSize, evaluator.latentSize, field: "samples")
    try together { () throws(MixGRPOError) in try Memory.require(size, of: MemoryLayout<Float>.stride) }
    let (ticket, rollout) = try openTicket(prompts: chosen, progress: progress)
    let own = machine.isCollective ? Array(chosen[machine.rank.share(ofPrompts: chosen.count)]) : chosen
    return TicketedSamples(ticket: ticket, prompts: own, samples: Array(try rollout.samples()))
  }

  /// Like `ticketedRollout`, without copying the samples.
  package func openTicket(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> (RolloutTicket, Rollout) {
    let (rollout, ticket) = try draw(chosen, withTicket: true, progress)
    guard let ticket else { throw MixGRPOError(.internalFault, "ticket: expected one for the rollout, got none") }
    return (ticket, rollout)
  }

  /// Trains on the iteration's tickets and moves to the next iteration, which closes them.
  /// - Parameters:
  ///   - missing: how tickets without rewards are treated.
  ///   - weights: (K), the weight of each reward; nil for those of the configuration.
  ///   - progress: called with the number of latents evaluated so far and in total, if no sample is excluded.
  /// - Throws: `invalidState` without a ticket, or naming the tickets without rewards; otherwise the errors of
  ///   `update(rewards:)`. After an error the state, including tickets, is as before, and the call may be repeated.
  @discardableResult
  public func updateFromTickets(
    missing: MissingRewards = .refuse, weights: [Double]? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> IterationMetrics {
    try begin(weights) { () throws(MixGRPOError) in try machine.ticketedGroups(missing) }
    return try answerUpdate(progress)
  }

  /// Discards the iteration's tickets; their rewards are no longer accepted.
  public func dropTickets() { machine.dropTickets() }
}
