import Dispatch
import MixBasics
import MixSampling

/// Ranks that are threads of this process: for tests, and for machines with several sockets, where each rank's threads run on one.
///
///     let ranks = try LocalRanks(count: 2)
///     try trainers[index].setCollective(ranks[index])   // and so on, each rank on a thread of its own
public final class LocalRanks: Sendable {
  /// Bytes that a rank has given to others, and calls it has made.
  public struct Traffic: Equatable, Sendable {
    /// Without those that stay on the rank.
    public internal(set) var bytes = 0
    /// Of both kinds.
    public internal(set) var calls = 0
  }

  private struct Content {
    var round = Round()
    var waiting: [DispatchSemaphore] = []
    var traffic: [Traffic]
    /// Why no call can succeed any more.
    var failure: MixGRPOError?
  }

  /// Number of ranks.
  public let count: Int
  private let seconds: Double
  private let content: Guarded<Content>

  /// - Parameters:
  ///   - count: 1…1024.
  ///   - seconds: how long a call waits for the other ranks, above 0; then it and all later calls fail.
  public init(count: Int, timeLimit seconds: Double = 600) throws(MixGRPOError) {
    try require((1...1_024).contains(count), "count", expected: "1…1024", got: count)
    try require(seconds > 0 && seconds <= 1e9, "time_limit", expected: "above 0, at most 1e9", got: seconds)
    (self.count, self.seconds) = (count, seconds)
    content = Guarded(Content(traffic: Array(repeating: Traffic(), count: count)))
  }

  /// The collective of one rank, 0…count − 1.
  public subscript(rank: Int) -> any Collective {
    get throws(MixGRPOError) { LocalRank(self, try Rank(rank, of: count)) }
  }

  /// What a rank has sent so far.
  public func traffic(of rank: Int) -> Traffic {
    content.withLock { $0.traffic.indices.contains(rank) ? $0.traffic[rank] : Traffic() }
  }

  /// Ends current and later calls of all ranks with an error, when one of them will make no more calls.
  /// - Parameter reason: for the message.
  public func abandon(_ reason: String) {
    fail(MixGRPOError(.inputOutput, "collective: expected all ranks, got one that has left: \(excerpt(reason, limit: 200))"))
  }

  // MARK: - One call

  /// Waits until every rank has made this call; the last one copies for all.
  fileprivate func exchange(_ part: Part) throws(MixGRPOError) {
    let wake = DispatchSemaphore(value: 0)
    let (number, isLast) = try arrive(part, wake)
    if isLast { return }
    let isInTime = wake.wait(timeout: .now() + seconds) == .success
    try leave(number, isInTime: isInTime)
  }

  private func arrive(_ part: Part, _ wake: DispatchSemaphore) throws(MixGRPOError) -> (round: Int, isLast: Bool) {
    try content.withLock { content throws(MixGRPOError) in
      if let failure = content.failure { throw failure }
      try requireOneCall(of: part.rank, &content)
      content.traffic[part.rank].calls += 1
      content.traffic[part.rank].bytes += part.bytesForOthers(ranks: count)
      content.round.parts.append(part)
      let number = content.round.number
      guard content.round.parts.count == count else {
        content.waiting.append(wake)
        return (number, false)
      }
      content.failure = content.round.deliver()
      Self.wakeAll(&content)
      if let failure = content.failure { throw failure }
      content.round = Round(number: number + 1)
      return (number, true)
    }
  }

  /// Two trainers with the collective of one rank: the round would end without another rank.
  private func requireOneCall(of rank: Int, _ content: inout Content) throws(MixGRPOError) {
    guard content.round.parts.contains(where: { $0.rank == rank }) else { return }
    let failure = MixGRPOError(
      .inputOutput, "collective: expected one trainer with the collective of rank \(rank), got calls of two at once")
    content.failure = failure
    Self.wakeAll(&content)
    throw failure
  }

  private func leave(_ number: Int, isInTime: Bool) throws(MixGRPOError) {
    try content.withLock { content throws(MixGRPOError) in
      if content.round.number > number { return }
      if !isInTime, content.failure == nil {
        let arrived = content.round.parts.map(\.rank)
        let missing = (0..<count).filter { !arrived.contains($0) }
        content.failure = MixGRPOError(
          .inputOutput, "collective: expected all ranks within \(seconds) seconds, got no call of ranks \(missing)")
        Self.wakeAll(&content)
      }
      if let failure = content.failure { throw failure }
    }
  }

  private func fail(_ error: MixGRPOError) {
    content.withLock { content in
      if content.failure == nil { content.failure = error }
      Self.wakeAll(&content)
    }
  }

  private static func wakeAll(_ content: inout Content) {
    for waiting in content.waiting { waiting.signal() }
    content.waiting.removeAll()
  }
}

/// One rank's side of a call. Its memory belongs to a caller who waits until the call is over.
private struct Part: @unchecked Sendable {
  let rank: Int
  let sent: UnsafeRawBufferPointer
  let received: UnsafeMutableRawBufferPointer
  /// Bytes of the piece for each rank, and from each; nil where all get the same.
  let sizes: (sent: [Int], received: [Int])?

  func bytesForOthers(ranks: Int) -> Int {
    guard let sizes else { return sent.count * (ranks - 1) }
    return sent.count - (sizes.sent.indices.contains(rank) ? sizes.sent[rank] : 0)
  }
}

/// The parts of the ranks in one call.
private struct Round {
  var number = 0
  var parts: [Part] = []

  /// Copies what was sent to its receivers.
  /// - Returns: an error when the ranks made different calls.
  func deliver() -> MixGRPOError? {
    let parts = parts.sorted { $0.rank < $1.rank }
    for receiver in parts {
      var place = 0
      for sender in parts {
        guard let piece = piece(from: sender, to: receiver, at: place) else {
          return MixGRPOError(
            .internalFault,
            "collective: expected the same call of all ranks, got others of ranks \(sender.rank) and \(receiver.rank)")
        }
        UnsafeMutableRawBufferPointer(rebasing: receiver.received[place..<place + piece.count]).copyMemory(from: piece)
        place += piece.count
      }
    }
    return nil
  }

  private func piece(from sender: Part, to receiver: Part, at place: Int) -> UnsafeRawBufferPointer? {
    let piece: UnsafeRawBufferPointer
    if let sizes = sender.sizes {
      let first = sizes.sent.prefix(receiver.rank).reduce(0, +)
      guard receiver.sizes?.received[sender.rank] == sizes.sent[receiver.rank] else { return nil }
      piece = UnsafeRawBufferPointer(rebasing: sender.sent[first..<first + sizes.sent[receiver.rank]])
    } else {
      guard receiver.sizes == nil, sender.sent.count == receiver.sent.count else { return nil }
      piece = sender.sent
    }
    return place + piece.count <= receiver.received.count ? piece : nil
  }
}

private final class LocalRank: Collective {
  private let ranks: LocalRanks
  let rank: Rank

  init(_ ranks: LocalRanks, _ rank: Rank) { (self.ranks, self.rank) = (ranks, rank) }

  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError) {
    try ranks.exchange(Part(rank: rank.index, sent: sent, received: received, sizes: nil))
  }

  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError) {
    try require(
      sentSizes.count == ranks.count && receivedSizes.count == ranks.count && sentSizes.reduce(0, +) == sent.count
        && receivedSizes.reduce(0, +) == received.count,
      "sizes", expected: "one for each of \(ranks.count) ranks, and their sum as bytes", got: "others")
    try ranks.exchange(
      Part(rank: rank.index, sent: sent, received: received, sizes: (sentSizes, receivedSizes)))
  }
}
