import MixBasics
import MixSampling

/// Makes one decision of all ranks, so that none goes on where another has failed.
///
/// A vote has two rounds: in the second, ranks say whether they have received the votes of the first. So one call that fails on
/// one rank ends the work of all.
package final class RankAgreement {
  private let messages: RankMessages
  /// A failure of the last round of a vote, of which the other ranks do not know yet.
  private var unreported: MixGRPOError?
  private var count: Int { collective.rank.count }

  package init(_ collective: any Collective) { messages = RankMessages(collective) }

  package var collective: any Collective { messages.collective }

  /// Every rank calls this at the same point of its work.
  /// - Parameters:
  ///   - error: why this rank cannot go on; nil if it can.
  ///   - same: must be the same on every rank.
  /// - Returns: the error with which all ranks end; nil if all go on.
  package func vote(_ error: MixGRPOError?, same: RankDescription = RankDescription()) -> MixGRPOError? {
    guard count > 1 else { return error }
    let text = same.text
    let own = error ?? unreported
    unreported = nil
    var (votes, lost) = ([Ballot](), MixGRPOError?.none)
    do throws(MixGRPOError) { votes = try cast(Ballot(own, text)) } catch { lost = error }
    do throws(MixGRPOError) {
      if let failure = gravest(try cast(Ballot(lost, [])), own: lost) { return failure }
    } catch {
      if let lost { return lost }
      unreported = error
    }
    if let failure = gravest(votes, own: own) { return failure }
    return votes.contains { $0.hash != votes[0].hash } ? difference(text, longest: votes.map(\.length).max() ?? 0) : nil
  }

  private func cast(_ ballot: Ballot) throws(MixGRPOError) -> [Ballot] {
    let ballots = try messages.gather(ballot.bytes, count: Ballot.size, filler: 0)
    return (0..<count).map { Ballot(ballots[$0 * Ballot.size..<($0 + 1) * Ballot.size]) }
  }

  /// Runs work that may fail on this rank alone.
  /// - Throws: the error with which all ranks end.
  func together<Result>(
    same: RankDescription = RankDescription(), _ body: () throws(MixGRPOError) -> Result
  ) throws(MixGRPOError) -> Result {
    var made: Result?
    var failure: MixGRPOError?
    do throws(MixGRPOError) { made = try body() } catch { failure = error }
    if let agreed = vote(failure, same: same) { throw agreed }
    guard let made else { throw MixGRPOError(.internalFault, "ranks: expected a result of the work, got none") }
    return made
  }

  /// The values of every rank, (ranks, count). Before much memory is taken, the ranks agree that each has it.
  /// - Parameters:
  ///   - own: at most `count` values.
  ///   - filler: behind them, if there are fewer.
  package func gather<Value: BitwiseCopyable>(_ own: [Value], count: Int, filler: Value) throws(MixGRPOError) -> [Value] {
    try requireMemory(product(count, self.count + 1, MemoryLayout<Value>.stride, field: "ranks"))
    return try messages.gather(own, count: count, filler: filler)
  }

  /// The values of all ranks, one behind the other in the order of the ranks, on the first rank; none on the others.
  /// - Parameters:
  ///   - counts: values of each rank.
  ///   - filler: any value.
  package func gatherOnFirst<Value: BitwiseCopyable>(
    _ own: [Value], counts: [Int], filler: Value
  ) throws(MixGRPOError) -> [Value] {
    try requireMemory(product(counts.reduce(0, +), 2, MemoryLayout<Value>.stride, field: "ranks"))
    return try messages.gatherOnFirst(own, counts: counts, filler: filler)
  }

  private static let muchMemory = 1 << 20

  private func requireMemory(_ size: Int) throws(MixGRPOError) {
    guard size >= Self.muchMemory else { return }
    if let lack = vote(failure { () throws(MixGRPOError) in try Memory.require(bytes: size) }) { throw lack }
  }

  /// An error outweighs a fault that the configuration may skip; of several the lowest rank's counts.
  /// - Parameter own: this rank's error in full; ballots truncate it.
  private func gravest(_ votes: [Ballot], own: MixGRPOError?) -> MixGRPOError? {
    let index = collective.rank.index
    let errors = votes.enumerated().compactMap { rank, vote in
      vote.error.map { (rank: rank, error: rank == index ? own ?? $0 : $0) }
    }
    guard let first = errors.first(where: { !$0.error.isFault }) ?? errors.first else { return nil }
    return MixGRPOError(first.error.code, "rank \(first.rank): \(first.error.message)")
  }

  /// The first field in which a rank differs from rank 0.
  private func difference(_ own: [UInt8], longest: Int) -> MixGRPOError {
    let all: [UInt8]
    do throws(MixGRPOError) { all = try gather(own, count: longest, filler: 0) } catch { return error }
    let texts = (0..<count).map { RankDescription(text: all[$0 * longest..<($0 + 1) * longest]) }
    for (rank, text) in texts.enumerated() {
      guard let field = texts[0].firstDifference(from: text) else { continue }
      return .invalid(
        "rank \(rank): \(field.name)", expected: "\(excerpt(field.first ?? "nothing", limit: 200)), as on rank 0",
        got: excerpt(field.other ?? "nothing", limit: 200))
    }
    return MixGRPOError(.internalFault, "ranks: expected equal descriptions to have equal hashes, got others")
  }
}

/// Values by name that must be the same on every rank.
package struct RankDescription {
  private var values: [String: String] = [:]

  package init(_ values: [String: String] = [:]) { self.values = values }

  package mutating func add(_ name: String, _ value: some Any) { values[name] = "\(value)" }

  /// One line for each value, sorted by name.
  var text: [UInt8] {
    let lines = values.map { "\(Printable.text($0.key))\t\(Printable.text($0.value))" }
    return Array(lines.sorted().joined(separator: "\n").utf8)
  }

  init(text: ArraySlice<UInt8>) {
    for line in String(decoding: text.prefix { $0 != 0 }, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      values[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
    }
  }

  func firstDifference(from other: RankDescription) -> (name: String, first: String?, other: String?)? {
    let names = Set(values.keys).union(other.values.keys).sorted()
    return names.first { values[$0] != other.values[$0] }.map { ($0, values[$0], other.values[$0]) }
  }
}
