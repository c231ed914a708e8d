import MixBasics

/// A promise of rewards for one rollout of an iteration: rewards may be submitted for it later, in any order.
public struct RolloutTicket: Hashable, Sendable, CustomStringConvertible {
  /// Counts up from 1 in the life of a trainer; never given out twice.
  public let number: Int64
  /// A ticket that was given out, by its number.
  public init(number: Int64) { self.number = number }
  public var description: String { "\(number)" }
}

/// What an update does about tickets without rewards.
public enum MissingRewards: Int32, Equatable, Sendable, CaseIterable {
  /// It throws, naming them.
  case refuse = 0
  /// It leaves their samples out, as if every reward of theirs had failed.
  case exclude = 1
}

/// Where rewards of ticketed rollouts arrive: from any thread, in any order, also while a rollout or an update runs.
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

  /// Hands in the rewards of a ticket, once.
  ///
  /// Rewards that come while an update runs which leaves them out count if that update fails or is cancelled.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size of the ticket), NaN for a reward that failed.
  ///   - ticket: the one that came with the samples.
  /// - Throws: `invalidArgument` for another number of values or a ticket that was never given out, `invalidState` for one that
  ///   has its rewards or whose iteration is over.
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

  /// P·G of a ticket: how many values each of its rewards has. Throws as `submit`.
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
      ticket.number > 0 && ticket.number <= content.lastNumber, "ticket", expected: "one that was given out", got: ticket)
    throw MixGRPOError(.invalidState, "ticket: expected one of the present iteration, got \(ticket), whose iteration is over")
  }
}

// MARK: - For the trainer

extension RewardInbox {
  func open(samples: Int) -> RolloutTicket {
    content.withLock { content in
      content.lastNumber += 1
      let ticket = RolloutTicket(number: content.lastNumber)
      content.entries.append(Entry(ticket: ticket, samples: samples))
      return ticket
    }
  }

  var tickets: [RolloutTicket] { content.withLock { $0.entries.map(\.ticket) } }

  /// The rewards of all tickets side by side, NaN where they are missing and may be: (K, all samples).
  func collect(_ missing: MissingRewards) throws(MixGRPOError) -> [[Double]] {
    try content.withLock { content throws(MixGRPOError) in
      guard missing == .exclude || content.open.isEmpty else {
        throw MixGRPOError(.invalidState, "update: expected rewards for every ticket, got none for \(content.open)")
      }
      return (0..<rewardCount).map { reward in
        content.entries.flatMap { $0.rewards?[reward] ?? [Double](repeating: .nan, count: $0.samples) }
      }
    }
  }

  /// Ends the iteration for all its tickets.
  func close() { content.withLock { $0.entries.removeAll() } }
}
