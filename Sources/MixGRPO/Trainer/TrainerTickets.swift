import Dispatch
import MixBasics
import MixSampling

/// Samples whose rewards may come later.
public struct TicketedSamples: Sendable {
  /// What their rewards are handed in for.
  public let ticket: RolloutTicket
  /// The prompts that they are of.
  public let prompts: [Int32]
  /// At σ = 0, (prompts · group size, tokens, channels).
  public let samples: [Float]
}

/// An iteration in parts, so that some samples are scored while others are drawn:
///
///     let first = try trainer.ticketedRollout(prompts: [0])
///     let scoring = Task { try inbox.submit([await score(first.samples)], for: first.ticket) }
///     let second = try trainer.ticketedRollout(prompts: [1])   // meanwhile
///     …
///     let metrics = try trainer.updateFromTickets()
///
/// The numbers are, to the last bit, those of one rollout of all prompts in the order of the tickets.
extension Trainer {
  /// Samples a group for each prompt and gives a ticket for their rewards, to be handed to `inbox`. A rollout without a ticket
  /// that no update followed is dropped.
  /// - Parameters:
  ///   - chosen: different rows of `prompts`, none of which has a ticket in this iteration.
  ///   - progress: called with the latents evaluated so far and in all, of this part.
  /// - Throws: `invalidArgument`, also when the window has changed since the iteration's first ticket; `cancelled`,
  ///   `notFinite`; `outOfMemory`, also when the iteration's prompts together are over the budget; `invalidState` after an
  ///   update that was stopped with `Undo.none`, until it is finished or the tickets are dropped.
  public func ticketedRollout(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> TicketedSamples {
    let size = try product(chosen.count, sampling.groupSize, evaluator.latentSize, field: "samples")
    try Memory.require(size, of: MemoryLayout<Float>.stride)
    let (ticket, rollout) = try openTicket(prompts: chosen, progress: progress)
    return TicketedSamples(ticket: ticket, prompts: chosen, samples: Array(try rollout.samples()))
  }

  /// As `ticketedRollout`, with the samples where they were drawn.
  package func openTicket(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> (RolloutTicket, Rollout) {
    let (rollout, ticket) = try draw(chosen, withTicket: true, progress)
    guard let ticket else { throw MixGRPOError(.internalFault, "ticket: expected one for the rollout, got none") }
    return (ticket, rollout)
  }

  /// Trains on the iteration's tickets and moves to the next iteration, which closes them.
  /// - Parameters:
  ///   - missing: what to do about tickets without rewards.
  ///   - weights: (K); nil: those of the configuration.
  ///   - progress: called with the latents evaluated so far and in all, if no sample is left out.
  /// - Throws: `invalidState` without a ticket, or naming those without rewards; otherwise as `update(rewards:)`. All is then
  ///   as before, tickets included, and the call may be repeated.
  @discardableResult
  public func updateFromTickets(
    missing: MissingRewards = .refuse, weights: [Double]? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> IterationMetrics {
    try machine.beginUpdateFromTickets(missing: missing, weights: weights)
    return try answerUpdate(progress)
  }

  /// Forgets the iteration's tickets; no rewards are taken for them any more.
  public func dropTickets() { machine.dropTickets() }
}
