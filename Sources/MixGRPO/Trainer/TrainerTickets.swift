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

/// One rollout of an iteration that is drawn in several.
struct TicketedRollout {
  let trajectory: Trajectory
  let modelCalls: Int
  let seconds: Double
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
    let started = DispatchTime.now()
    let taken = ticketed.flatMap(\.trajectory.promptNumbers).filter(chosen.contains)
    try require(
      taken.isEmpty, "prompt_indices", expected: "prompts without a ticket in this iteration", got: taken)
    if stopped != nil, !ticketed.isEmpty {
      throw MixGRPOError(
        .invalidState, "rollout: expected the update that was stopped to be finished, or its tickets dropped, got neither")
    }
    let rollout = try draw(chosen, isAlone: false, progress)
    dropRollout()
    ticketed.append(
      TicketedRollout(trajectory: try rollout.trajectory(), modelCalls: rollout.modelCalls, seconds: seconds(since: started)))
    return (inbox.open(samples: chosen.count * sampling.groupSize), rollout)
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
    guard !ticketed.isEmpty else {
      throw MixGRPOError(.invalidState, "update: expected a rollout with a ticket before it, got none")
    }
    let rewards = try inbox.collect(missing)
    let parts = ticketed.map(\.trajectory)
    let sampled = SampledGroups(
      trajectory: parts.count == 1 ? parts[0] : try Trajectory(joining: parts),
      modelCalls: ticketed.reduce(0) { $0 + $1.modelCalls }, seconds: ticketed.reduce(0) { $0 + $1.seconds })
    return try learn(from: sampled, rewards, weights, progress)
  }

  /// Forgets the iteration's tickets; no rewards are taken for them any more.
  public func dropTickets() {
    if !ticketed.isEmpty { dropRollout() }
    ticketed = []
    inbox.close()
  }

  /// A window that moved between the parts of an iteration would train different steps.
  func requireWindowOfTickets(_ plan: SamplingPlan) throws(MixGRPOError) {
    guard let first = ticketed.first?.trajectory.plan else { return }
    try require(
      first == plan, "window", expected: "\(first.window), as in the iteration's first ticket", got: plan.window)
  }

  func requireNoTickets(_ call: String) throws(MixGRPOError) {
    guard ticketed.isEmpty else {
      throw MixGRPOError(
        .invalidState, "\(call): expected no tickets, got \(inbox.tickets); update from them or drop them first")
    }
  }
}
