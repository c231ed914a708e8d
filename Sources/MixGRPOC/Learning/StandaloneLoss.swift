import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSampling

@_cdecl("mixgrpo_step_log_probability") @implementation
public func mixgrpo_step_log_probability(
  _ step: UnsafePointer<mixgrpo_step>?, _ form: mixgrpo_log_probability, _ latents: UnsafePointer<Float>?,
  _ velocity: UnsafePointer<Float>?, _ next_latents: UnsafePointer<Float>?, _ count: Int, _ latent_size: Int,
  _ out_log_probabilities: UnsafeMutablePointer<Double>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let step = try StandaloneStep(read(step, "step"), form)
    let rows = try StandaloneRows(latents, velocity, next_latents, count, latent_size)
    let target = try output(out_log_probabilities, capacity: capacity, needed: count, "out_log_probabilities")
    target.copy(
      (0..<count).map { row in
        LogProbability.value(rows[row], velocity: rows.velocity(row), step.transition, step.form)
      })
  }
}

@_cdecl("mixgrpo_policy_loss") @implementation
public func mixgrpo_policy_loss(
  _ config: UnsafePointer<mixgrpo_learning_config>?, _ step: UnsafePointer<mixgrpo_step>?,
  _ form: mixgrpo_log_probability, _ latents: UnsafePointer<Float>?, _ velocity: UnsafePointer<Float>?,
  _ next_latents: UnsafePointer<Float>?, _ reference_velocity: UnsafePointer<Float>?,
  _ old_log_probabilities: UnsafePointer<Double>?, _ advantages: UnsafePointer<Double>?, _ count: Int,
  _ latent_size: Int, _ out_loss: UnsafeMutablePointer<Double>?, _ out_ratios: UnsafeMutablePointer<Double>?,
  _ ratios_capacity: Int, _ out_d_velocity: UnsafeMutablePointer<Float>?, _ d_velocity_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let policy = try LearningConfiguration(read(config, "config")).policy
    let step = try StandaloneStep(read(step, "step"), form)
    let rows = try StandaloneRows(latents, velocity, next_latents, count, latent_size)
    let reference = try optionalInput(
      reference_velocity, count: reference_velocity == nil ? 0 : rows.valueCount, expected: rows.valueCount,
      "reference_velocity")
    if let reference { try requireFinite(reference, "reference_velocity") }
    let old = try rows.perRow(old_log_probabilities, "old_log_probabilities")
    let advantages = try rows.perRow(advantages, "advantages")
    let loss = try place(out_loss, "out_loss")
    let ratios = try optionalOutput(out_ratios, capacity: ratios_capacity, needed: count, "out_ratios")
    let dVelocity = try output(
      out_d_velocity, capacity: d_velocity_capacity, needed: rows.valueCount, "out_d_velocity")
    let batch = StepLossBatch(
      configuration: policy, transition: step.transition, form: step.form, latents: rows.latents,
      velocity: rows.velocity, nextLatents: rows.nextLatents, referenceVelocity: reference?.baseAddress,
      oldLogProbabilities: old, advantages: advantages, count: count, latentSize: latent_size)
    let foundRatios = try Table<Double>(count: count, filledWith: 1)
    var found = 0.0
    try writeWhenDone(dVelocity) { found = try batch.evaluate(dVelocity: $0, ratios: foundRatios.base) }
    loss.pointee = found
    ratios?.fill(from: foundRatios.base)
  }
}

/// A stochastic step from the host's struct.
private struct StandaloneStep {
  let transition: Transition
  let form: LogProbabilityForm

  init(_ step: mixgrpo_step, _ form: mixgrpo_log_probability) throws(MixGRPOError) {
    let numbers = [step.sigma, step.next_sigma, step.latent, step.velocity, step.noise, step.history.0, step.history.1]
    try require(numbers.allSatisfy(\.isFinite), "step", expected: "finite numbers", got: numbers)
    try require(step.noise > 0, "step.noise", expected: "a value above 0", got: step.noise)
    transition = Transition(
      try choice(step.kind, "step.kind"), step.sigma, step.next_sigma, latent: step.latent, velocity: step.velocity,
      previousData: step.history.0, earlierData: step.history.1, noise: step.noise)
    self.form = try choice(form, "form")
    try require(
      self.form != .guarded, "form", expected: "a form other than MIXGRPO_LOG_PROBABILITY_GUARDED", got: form)
  }
}

/// The x, v and x' of a batch, (B, D) each, finite.
private struct StandaloneRows {
  let latents: UnsafePointer<Float>
  let velocity: UnsafePointer<Float>
  let nextLatents: UnsafePointer<Float>
  let count: Int
  let latentSize: Int

  var valueCount: Int { count * latentSize }

  init(
    _ latents: UnsafePointer<Float>?, _ velocity: UnsafePointer<Float>?, _ nextLatents: UnsafePointer<Float>?,
    _ count: Int, _ latentSize: Int
  ) throws(MixGRPOError) {
    try requireRange(count, 1...Int(Int32.max), "count")
    try requireRange(latentSize, 1...1_000_000_000, "latent_size")
    let values = try checkedProduct(count, latentSize, field: "count · latent_size")
    self.latents = try Self.finite(latents, values, "latents")
    self.velocity = try Self.finite(velocity, values, "velocity")
    self.nextLatents = try Self.finite(nextLatents, values, "next_latents")
    (self.count, self.latentSize) = (count, latentSize)
  }

  private static func finite(
    _ pointer: UnsafePointer<Float>?, _ count: Int, _ argument: String
  ) throws(MixGRPOError) -> UnsafePointer<Float> {
    let values = try input(pointer, count: count, argument)
    try requireFinite(values, argument)
    guard let base = values.baseAddress else { throw .invalid(argument, expected: "\(count) values", got: "NULL") }
    return base
  }

  /// One finite number for each row.
  func perRow(_ pointer: UnsafePointer<Double>?, _ argument: String) throws(MixGRPOError) -> UnsafePointer<Double> {
    let values = try input(pointer, count: count, argument)
    try requireFinite(values, argument)
    guard let base = values.baseAddress else { throw .invalid(argument, expected: "\(count) values", got: "NULL") }
    return base
  }

  func velocity(_ row: Int) -> UnsafePointer<Float> { velocity + row * latentSize }

  subscript(row: Int) -> StepRow {
    StepRow(
      latent: latents + row * latentSize, next: nextLatents + row * latentSize, count: latentSize, noise: nil)
  }
}
