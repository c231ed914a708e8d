import CMixGRPO
import MixSettings

// Converts this module's configurations to and from the header's flat record. A number too large for its field becomes the
// nearest one that fits, which is outside the setting's range. `unchecked` returns nil for an unknown choice.

extension AdvantageConfiguration {
  package init?(unchecked record: mixgrpo_learning_config) {
    guard
      let aggregation = AdvantageAggregation(rawValue: record.advantage_mode),
      let spread = AdvantageSpread(rawValue: record.std_scope)
    else { return nil }
    (self.aggregation, self.spread, trim) = (aggregation, spread, record.trim_fraction)
    clip = record.advantage_clip == 0 ? .infinity : record.advantage_clip
    degenerateTolerance = record.degenerate_tolerance
  }

  package func write(to record: inout mixgrpo_learning_config) {
    (record.advantage_mode, record.std_scope, record.trim_fraction) = (aggregation.rawValue, spread.rawValue, trim)
    record.advantage_clip = clip == .infinity ? 0 : clip
    record.degenerate_tolerance = degenerateTolerance
  }
}

extension PolicyConfiguration {
  package init?(unchecked record: mixgrpo_learning_config) {
    guard let stepWeighting = StepWeighting(rawValue: record.step_weighting) else { return nil }
    (clipRange, referencePenalty, oldPolicyPenalty) = (record.clip_range, record.kl_reference, record.kl_old)
    (self.stepWeighting, updatesPerIteration) = (stepWeighting, Int(record.updates_per_iteration))
  }

  package func write(to record: inout mixgrpo_learning_config) {
    (record.clip_range, record.kl_reference, record.kl_old) = (clipRange, referencePenalty, oldPolicyPenalty)
    (record.step_weighting, record.updates_per_iteration) = (stepWeighting.rawValue, Int32(clamping: updatesPerIteration))
  }
}

extension AdamWConfiguration {
  /// The optimizer's rows among those of learning. Nil for a record with an unknown choice.
  package var record: mixgrpo_learning_config {
    get {
      var record = mixgrpo_learning_config.standard
      write(to: &record)
      return record
    }
    set {
      if let optimizer = Self(unchecked: newValue) { self = optimizer }
    }
  }

  package init?(unchecked record: mixgrpo_learning_config) {
    let shape: LearningRateSchedule.Shape
    switch Int(record.schedule) {
    case MIXGRPO_SCHEDULE_CONSTANT: shape = .constant
    case MIXGRPO_SCHEDULE_COSINE:
      shape = .cosine(totalSteps: Int(record.total_steps), minimumFraction: record.min_rate_fraction)
    default: return nil
    }
    schedule = LearningRateSchedule(shape, warmupSteps: Int(record.warmup_steps))
    (learningRate, beta1, beta2, epsilon) = (record.learning_rate, record.beta1, record.beta2, record.epsilon)
    weightDecay = record.weight_decay
    maximumGradientNorm = record.max_gradient_norm == 0 ? .infinity : record.max_gradient_norm
  }

  package func write(to record: inout mixgrpo_learning_config) {
    (record.learning_rate, record.beta1, record.beta2, record.epsilon) = (learningRate, beta1, beta2, epsilon)
    record.weight_decay = weightDecay
    record.max_gradient_norm = maximumGradientNorm == .infinity ? 0 : maximumGradientNorm
    record.warmup_steps = Int32(clamping: schedule.warmupSteps)
    guard case .cosine(let totalSteps, let minimumFraction) = schedule.shape else { return }
    record.schedule = Int32(MIXGRPO_SCHEDULE_COSINE)
    (record.total_steps, record.min_rate_fraction) = (Int32(clamping: totalSteps), minimumFraction)
  }
}
