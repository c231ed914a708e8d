import CMixGRPO
import MixBasics
import MixGRPO
import MixStorage

extension mixgrpo_metrics {
  init(_ metrics: IterationMetrics) {
    self.init()
    window_start = Int32(truncatingIfNeeded: metrics.window.lowerBound)
    window_length = Int32(truncatingIfNeeded: metrics.window.count)
    failed_rewards = Int32(truncatingIfNeeded: metrics.failedRewards)
    degenerate_groups = Int32(truncatingIfNeeded: metrics.degenerateGroups)
    iteration = Int64(metrics.iteration)
    model_calls_rollout = Int64(metrics.modelCallsRollout)
    model_calls_update = Int64(metrics.modelCallsUpdate)
    (reward_mean, reward_std) = (metrics.rewardMean, metrics.rewardStandardDeviation)
    let policy = metrics.policy
    loss = policy.loss
    (first_ratio_min, first_ratio_max) = (policy.firstRatioMin, policy.firstRatioMax)
    (ratio_min, ratio_max) = (policy.ratioMin, policy.ratioMax)
    clip_fraction = policy.clippedFraction
    max_log_ratio_nats = policy.logRatioNatsMax
    (kl_old_nats, kl_reference_nats) = (policy.oldPolicyNats, policy.referenceNats)
    (gradient_norm, learning_rate) = (metrics.gradientNorm, metrics.learningRate)
    (seconds_rollout, seconds_update) = (metrics.secondsRollout, metrics.secondsUpdate)
    skipped_steps = Int32(truncatingIfNeeded: metrics.skippedSteps)
    rolled_back = metrics.isRolledBack ? 1 : 0
    velocity_change = metrics.velocityChange
  }
}

@_cdecl("mixgrpo_trainer_get_metrics") @implementation
public func mixgrpo_trainer_get_metrics(
  _ trainer: OpaquePointer?, _ out_metrics: UnsafeMutablePointer<mixgrpo_metrics>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let result = try HostStruct(out_metrics, "out_metrics")
    result.write(mixgrpo_metrics(try object.metrics()))
  }
}

@_cdecl("mixgrpo_trainer_get_reward_metrics") @implementation
public func mixgrpo_trainer_get_reward_metrics(
  _ trainer: OpaquePointer?, _ index: Int, _ out_metrics: UnsafeMutablePointer<mixgrpo_reward_metrics>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let result = try HostStruct(out_metrics, "out_metrics")
    let rewards = try object.metrics().rewards
    try require(
      rewards.indices.contains(index) && object.names.indices.contains(index), "index",
      expected: "0…\(rewards.count - 1)", got: index)
    var metrics = mixgrpo_reward_metrics()
    metrics.failed = Int32(truncatingIfNeeded: rewards[index].failures)
    (metrics.mean, metrics.std) = (rewards[index].mean, rewards[index].standardDeviation)
    metrics.name = UnsafePointer(object.names[index].pointer)
    result.write(metrics)
  }
}

@_cdecl("mixgrpo_trainer_get_metrics_json") @implementation
public func mixgrpo_trainer_get_metrics_json(
  _ trainer: OpaquePointer?, _ out_json: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ out_size: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let metrics = try resolve(trainer, "trainer", as: TrainerObject.self).metrics()
    try deliver(metrics.json, to: out_json, capacity: capacity, size: out_size, "out_json")
  }
}

@_cdecl("mixgrpo_trainer_append_metrics") @implementation
public func mixgrpo_trainer_append_metrics(
  _ trainer: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> mixgrpo_status {
  withStatus {
    let metrics = try resolve(trainer, "trainer", as: TrainerObject.self).metrics()
    try MetricsLog(path: MixGRPOC.path(path, "path")).append(metrics.json)
  }
}
