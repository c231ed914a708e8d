import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning

@_cdecl("mixgrpo_advantages") @implementation
public func mixgrpo_advantages(
  _ config: UnsafePointer<mixgrpo_learning_config>?, _ rewards: UnsafePointer<Double>?, _ reward_count: Int,
  _ prompt_count: Int, _ group_size: Int32, _ weights: UnsafePointer<Double>?, _ weight_count: Int,
  _ out_advantages: UnsafeMutablePointer<Double>?, _ out_included: UnsafeMutablePointer<UInt8>?, _ capacity: Int,
  _ out_report: UnsafeMutablePointer<mixgrpo_advantage_report>?
) -> mixgrpo_status {
  withStatus {
    try requireRange(reward_count, 1...1_024, "reward_count")
    try requireRange(prompt_count, 1...1_000_000, "prompt_count")
    try requireRange(group_size, 2...4_096, "group_size")
    let samples = try checkedProduct(prompt_count, Int(group_size), field: "prompt_count")
    var configuration = try LearningConfiguration(read(config, "config")).advantages
    configuration.weights = try rewardWeights(weights, count: weight_count, rewards: reward_count)
    let count = try checkedProduct(reward_count, samples, field: "rewards")
    let values = try input(rewards, count: count, "rewards")
    try requireRoom(forRewards: count)
    let rewards = rewardColumns(values, rewards: reward_count)
    let target = try output(out_advantages, capacity: capacity, needed: samples, "out_advantages")
    let included = try output(out_included, capacity: capacity, needed: samples, "out_included")
    let report = try HostStruct.optional(out_report, "out_report")
    let advantages = try Advantages(rewards: rewards, groupSize: Int(group_size), configuration: configuration)
    target.copy(advantages.values)
    included.copy(advantages.isIncluded.map { $0 ? 1 : 0 })
    report?.write(mixgrpo_advantage_report(advantages))
  }
}

/// The weights (K); empty for 1 each.
func rewardWeights(
  _ weights: UnsafePointer<Double>?, count: Int, rewards: Int
) throws(MixGRPOError) -> [Double] {
  guard let weights = try optionalInput(weights, count: count, expected: rewards, "weights") else { return [] }
  return Array(weights)
}

/// Requires the working memory for advantages of `count` rewards: a few arrays of this size, and the groups' indices.
func requireRoom(forRewards count: Int) throws(MixGRPOError) { try Memory.require(count, of: 128) }

/// Splits rewards (K, samples) into one array for each reward.
func rewardColumns(_ values: UnsafeBufferPointer<Double>, rewards: Int) -> [[Double]] {
  let samples = values.count / max(rewards, 1)
  return (0..<rewards).map { Array(values[$0 * samples..<($0 + 1) * samples]) }
}

extension mixgrpo_advantage_report {
  init(_ advantages: Advantages) {
    self.init()
    failed_rewards = Int32(truncatingIfNeeded: advantages.rewards.reduce(0) { $0 + $1.failures })
    excluded_samples = Int32(truncatingIfNeeded: advantages.isIncluded.count - advantages.includedCount)
    degenerate_groups = Int32(truncatingIfNeeded: advantages.degenerateGroups.count)
    dropped_groups = Int32(truncatingIfNeeded: advantages.droppedGroups.count)
  }
}
