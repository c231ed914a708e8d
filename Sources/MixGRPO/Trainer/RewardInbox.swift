import MixBasics

/// Identifies one rollout of an iteration whose rewards are submitted later, in any order.
public struct RolloutTicket: Hashable, Sendable, CustomStringConvertible {
  /// Unique within a trainer; starts at 1.
  public let number: Int64
  /// The ticket with this number.
  public init(number: Int64) { self.number = number }
  public var description: String { "\(number)" }
}

/// How an update treats tickets without rewards.
public enum MissingRewards: Int32, Equatable, Sendable, CaseIterable {
  /// The update throws and names them.
  case refuse = 0
  /// Their samples are excluded, as if all their rewards had failed.
  case exclude = 1
}

/// Receives the rewards of ticketed rollouts: from any thread, in any order, also during a rollout or an update.
public final class RewardInbox: Sendable {
  private struct Entry {
    let ticket: RolloutTicket
    let samples: Int
    var rewards: [[Double]]?  // (K, samples)
  }
  private struct Content {
    var lastNumber: Int64 = 0
    var entries: [Entry] = []  // in the order of the rollouts
    var open: [RolloutTicket] { entries.filter { $0.rewards == nil }.map(\.ticket) }
  }
  private let content = Guarded(Content())
  /// K
  private let rewardCount: Int

  init(rewardCount: Int) { self.rewardCount = rewardCount }

  /// Submits the rewards of a ticket, once.
  ///
  /// Rewards submitted during an update that excludes them are used if that update fails or is cancelled and is repeated from its
  /// start. An update that stopped between two optimizer steps (`Undo.none`) continues without them.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size of the ticket), NaN for a reward that failed.
  ///   - ticket: the ticket of the samples.
  /// - Throws: `invalidArgument` for a wrong number of values or an unknown ticket, `invalidState` for a ticket that already
  ///   has rewards or whose iteration is over.
  public func submit(_ rewards: [[Double]], for ticket: RolloutTicket) throws(MixGRPOError) {
    try content.withLock { content throws(MixGRPOError) in
      let place = try Self.place(of: ticket, in: content)
      let entry = content.entries[place]
      try require(
        rewards.count == rewardCount && rewards.allSatisfy { $0.count == entry.samples }, "rewards",
        expected: "\(entry.samples) values for each of \(rewardCount) rewards", got: rewards.map(\.count))
      guard entry.rewards == nil else {
        throw MixGRPOError(.invalidState, "ticket: expected rewards for \(ticket) once, got them again")
      }
      content.entries[place].rewards = rewards
    }
  }

  /// P·G, the number of samples of a ticket. Throws the errors of `submit`.
  package func samples(of ticket: RolloutTicket) throws(MixGRPOError) -> Int {
    try content.withLock { content throws(MixGRPOError) in
      content.entries[try Self.place(of: ticket, in: content)].samples
    }
  }

  /// The iteration's tickets without rewards, in the order of their rollouts.
  public var openTickets: [RolloutTicket] { content.withLock { $0.open } }

  private static func place(of ticket: RolloutTicket, in content: Content) throws(MixGRPOError) -> Int {
    if let place = content.entries.firstIndex(where: { $0.ticket == ticket }) { return place }
    try require(
      ticket.number > 0 && ticket.number <= content.lastNumber, "ticket", expected: "one from this trainer", got: ticket)
    throw MixGRPOError(.invalidState, "ticket: expected one of the current iteration, got \(ticket), whose iteration is over")
  }
}

// MARK: - For the trainer

extension RewardInbox {
  func open(samples: Int) -> RolloutTicket {
    content.withLock { content in
      content.lastNumber += 1
      let ticket = RolloutTicket(number: content.lastNumber)
      // Without samples there is nothing to wait for.
      let rewards = samples == 0 ? [[Double]](repeating: [], count: rewardCount) : nil
      content.entries.append(Entry(ticket: ticket, samples: samples, rewards: rewards))
      return ticket
    }
  }

  var tickets: [RolloutTicket] { content.withLock { $0.entries.map(\.ticket) } }

  /// The rewards of all tickets, (K, all samples); NaN for missing rewards, if they are allowed.
  func collect(_ missing: MissingRewards) throws(MixGRPOError) -> [[Double]] {
    try content.withLock { content throws(MixGRPOError) in
      guard missing == .exclude || content.open.isEmpty else {
        throw MixGRPOError(.invalidState, "update: expected rewards for every ticket, got none for \(content.open)")
      }
      // Lists that grow, here and in the advantages.
      let (values, overflow) = content.entries.reduce(0) { $0 + $1.samples }.multipliedReportingOverflow(by: rewardCount)
      try Memory.require(overflow ? -1 : values, of: 128)
      return (0..<rewardCount).map { reward in
        content.entries.flatMap { $0.rewards?[reward] ?? [Double](repeating: .nan, count: $0.samples) }
      }
    }
  }

  /// Closes all tickets of the iteration.
  func close() { content.withLock { $0.entries.removeAll() } }
}
