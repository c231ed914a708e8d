import MixBasics
import MixGRPO
import MixLearning
import MixSampling

extension Settings {
  /// Lines of "field = value": what will really run, and nothing that the chosen modes do not use.
  func description() throws(MixGRPOError) -> String {
    var lines = DescriptionLines()
    if let sampling { try lines.add(sampling) }
    if let learning { lines.add(learning) }
    return lines.text
  }
}

private struct DescriptionLines {
  var text = ""

  mutating func add(_ field: String, _ value: some Any, _ unit: String = "") {
    text += "\(field) = \(value)\(unit.isEmpty ? "" : " (\(unit))")\n"
  }

  /// The name of a choice as the header spells it: `rollBack` is roll_back.
  private func name(_ choice: some Any) -> String {
    "\(choice)".reduce(into: "") { name, character in
      name += character.isUppercase || character.isNumber && name.last?.isLetter == true ? "_" : ""
      name += character.lowercased()
    }
  }

  // MARK: Sampling

  mutating func add(_ sampling: SamplingConfiguration) throws(MixGRPOError) {
    add(sampling.schedule)
    switch sampling.dynamics {
    case .flow(let level): add("dynamics", "flow, noise level \(level)")
    case .dance(let level): add("dynamics", "dance, noise level \(level)")
    case .coefficientPreserving(let level): add("dynamics", "cps, noise level \(level)")
    }
    add(sampling.windowMode)
    let plan = try firstPlan(sampling)
    add("window_length", plan.window.count, "steps")
    add("trained steps", plan.trainedSteps.count)
    add("solver", name(sampling.solver))
    if let flash = sampling.flash { add("flash_ratio", "\(flash.ratio), \(name(flash.solver))") }
    add("group_size", sampling.groupSize, "images per prompt")
    add("initial_noise", sampling.sharedInitialNoise ? "shared by the group" : "own")
    add("exact_sharing", sampling.exactSharing)
    add("log_probability", name(sampling.logProbability))
    add("sigma_rounding", name(sampling.sigmaRounding))
    add("seed", sampling.seed)
    add("model calls per image", plan.steps, "iteration 0, without sharing")
    add(
      "model calls per image with sharing", Double(plan.modelCalls(prompts: 1)) / Double(plan.groupSize),
      "iteration 0, mean")
  }

  /// With windows that the host gives, the first one stands for all.
  private func firstPlan(_ sampling: SamplingConfiguration) throws(MixGRPOError) -> SamplingPlan {
    try SamplingPlan(sampling, iteration: 0, window: sampling.windowSchedule().forecast(iteration: 0))
  }

  private mutating func add(_ schedule: TimeGrid.Schedule) {
    add("steps", schedule.steps)
    switch schedule {
    case .shifted(_, let shift): add("shift", shift)
    case .resolutionShifted(_, let tokens): add("image_tokens", tokens, "tokens, which set the shift")
    case .sigmas: add("sigmas", "given")
    }
  }

  private mutating func add(_ mode: WindowMode) {
    switch mode {
    case .frozen(let start): add("window_mode", "frozen at step \(start)")
    case .progressive(let interval, let stride, let atEnd):
      add("window_mode", "progressive, \(stride) steps every \(interval) iterations, \(name(atEnd)) at the end")
    case .linearDecay(let minimum, let maximum, let stride, let atEnd):
      add("window_mode", "linear decay, \(stride) steps every \(maximum) to \(minimum) iterations, \(name(atEnd)) at the end")
    case .exponentialDecay(let initial, let rate, let threshold, let stride, let atEnd):
      add(
        "window_mode",
        "exponential decay, \(stride) steps every \(initial) iterations, less by rate \(rate) from step "
          + "\(threshold), \(name(atEnd)) at the end")
    case .random: add("window_mode", "random")
    case .all(.full): add("window_mode", "all steps, all trained")
    case .all(.firstFraction(let fraction)): add("window_mode", "all steps, the first \(fraction) trained")
    case .all(.randomSubset(let fraction)): add("window_mode", "all steps, a random \(fraction) trained")
    case .given: add("window_mode", "given by the host")
    case .adaptive(let interval, let stride, let atEnd):
      add(
        "window_mode",
        "adaptive, \(stride) steps after \(max(interval.minimum, interval.trend)) to \(interval.maximum) iterations,"
          + " when \(interval.trend) iterations show a gain below \(interval.minimumGain) std each, \(name(atEnd)) at the end")
    }
  }

  // MARK: Learning

  mutating func add(_ learning: LearningConfiguration) {
    let (advantages, policy) = (learning.advantages, learning.policy)
    add("advantage_mode", name(advantages.aggregation))
    add("std_scope", name(advantages.spread))
    add("trim_fraction", advantages.trim)
    add("advantage_clip", advantages.clip)
    add("degenerate_tolerance", advantages.degenerateTolerance)
    add("clip_range", policy.clipRange)
    add("kl_reference", policy.referencePenalty)
    add("kl_old", policy.oldPolicyPenalty)
    add("step_weighting", name(policy.stepWeighting))
    add("updates_per_iteration", policy.updatesPerIteration, "optimizer steps")
    add(learning.optimizer)
    if learning.averageDecay > 0 { add("ema_decay", learning.averageDecay, "per optimizer step") }
    add(learning.safety)
    add("undo", name(learning.undo))
  }

  private mutating func add(_ safety: SafetyConfiguration) {
    let rates = safety.faultPolicy == .rollBack ? ", learning rate times \(safety.rollBackRateFactor)" : ""
    add("fault_policy", name(safety.faultPolicy) + rates)
    if safety.maxVelocityChange > 0 {
      add("max_velocity_change", safety.maxVelocityChange, "share of the velocity, per iteration")
    }
  }

  private mutating func add(_ optimizer: AdamWConfiguration) {
    add("learning_rate", optimizer.learningRate)
    add("warmup_steps", optimizer.schedule.warmupSteps, "optimizer steps")
    switch optimizer.schedule.shape {
    case .constant: add("schedule", "constant")
    case .cosine(let total, let minimum): add("schedule", "cosine to \(minimum) of the rate in \(total) optimizer steps")
    }
    add("beta1, beta2, epsilon", "\(optimizer.beta1), \(optimizer.beta2), \(optimizer.epsilon)")
    add("weight_decay", optimizer.weightDecay)
    add("max_gradient_norm", optimizer.maximumGradientNorm)
  }
}
