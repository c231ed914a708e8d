import MixGRPO
import MixSettings

/// The processes that run one alignment together. The first one writes all files and shows the progress; each samples, scores and
/// differentiates its share of the prompts.
///
/// Every rank makes the same calls here and of the trainer, in the same order. A rank that fails ends its part in the next one.
final class RunRanks {
  /// The decisions of all ranks, also those of the trainer; nil for a process that runs alone.
  let agreement: RankAgreement?
  /// Whether the error of this rank's work is that of all ranks.
  private(set) var isAgreed = false

  init(_ collective: (any Collective)? = nil) {
    agreement = collective.map { RankAgreement($0) }
  }

  var rank: Rank { agreement?.collective.rank ?? .alone }
  var isFirst: Bool { rank.index == 0 }

  // MARK: - One decision

  /// Runs the work of this rank. An error ends that of all ranks.
  /// - Throws: the error with which all ranks end.
  func withdrawing<Result>(_ work: () throws(MixGRPOError) -> Result) throws(MixGRPOError) -> Result {
    do throws(MixGRPOError) { return try work() } catch {
      guard let agreement, !isAgreed else { throw error }
      isAgreed = true
      throw agreement.vote(error) ?? error
    }
  }

  /// A call of the trainer in which all ranks take part, and which fails on all of them or on none.
  func together<Result>(_ call: () throws(MixGRPOError) -> Result) throws(MixGRPOError) -> Result {
    do throws(MixGRPOError) { return try call() } catch {
      isAgreed = true
      throw error
    }
  }

  /// Waits for the others.
  /// - Parameter same: must be the same on every rank.
  /// - Throws: the error of a rank that has withdrawn; `invalidArgument` naming rank and field that differ.
  func meet(same: RankDescription = RankDescription()) throws(MixGRPOError) {
    try together { () throws(MixGRPOError) in if let error = agreement?.vote(nil, same: same) { throw error } }
  }

  // MARK: - Values

  /// The first rank's value.
  func first(_ value: Int) throws(MixGRPOError) -> Int {
    guard let agreement else { return value }
    try meet()
    return try together { () throws(MixGRPOError) in try agreement.gather([value], count: 1, filler: 0)[0] }
  }

  /// The scores of all samples.
  /// - Parameters:
  ///   - own: (K, samples of this rank's share of the prompts).
  ///   - prompts: of all ranks.
  ///   - samples: of each prompt.
  func gather(_ own: [[Double]], prompts: Int, samples: Int) throws(MixGRPOError) -> [[Double]] {
    guard let agreement else { return own }
    try meet()
    let places = RankPlaces(rollouts: [prompts], ranks: rank.count)
    return try own.map { (scores) throws(MixGRPOError) in
      let all = try together { () throws(MixGRPOError) in
        try agreement.gather(scores, count: places.largestShare * samples, filler: .nan)
      }
      return places.inOrder(all, width: samples, filler: .nan)
    }
  }
}

extension AlignSettings {
  /// What must be the same on every rank: all settings but the number of threads.
  func description(resuming: Bool) throws(MixGRPOError) -> RankDescription {
    var description = RankDescription(["--resume": "\(resuming)"])
    for (name, value) in try Self.leaves(withAbsolutePaths().json, "") where name != "threads" { description.add(name, value) }
    return description
  }

  private static func leaves(_ object: JSONObject, _ prefix: String) throws(MixGRPOError) -> [(String, String)] {
    var found: [(String, String)] = []
    for member in object.members {
      let name = prefix + member.name
      if let section = member.value.object {
        found += try leaves(section, name + ".")
      } else {
        found.append((name, try member.value.text()))
      }
    }
    return found
  }
}

extension AlignSettings {
  /// How the trainer adds up gradients; nil for one that trains alone.
  func agreement(of ranks: RunRanks) throws(MixGRPOError) -> RankAgreement? {
    if let agreement = ranks.agreement { return agreement }
    return sumPerPrompt ? RankAgreement(try LocalRanks(count: 1)[0]) : nil
  }

  /// - Throws: `unsupported` for a person who votes while several processes run.
  func adapted(to ranks: RunRanks) throws(MixGRPOError) -> AlignSettings {
    guard ranks.agreement != nil else { return self }
    guard !hasPerson || ranks.rank.count == 1 else {
      throw MixGRPOError(
        .unsupported,
        "rewards: expected rewards that are computed, because \(ranks.rank.count) processes score pictures at once, got "
          + "\(RewardSetting.person); start one process")
    }
    var settings = self
    settings.sumPerPrompt = true
    return settings
  }
}
