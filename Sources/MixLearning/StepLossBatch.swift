import MixBasics
import MixNumerics
import MixSampling

/// The policy loss of one stochastic step for a batch outside an update.
package struct StepLossBatch {
  package let configuration: PolicyConfiguration
  package let transition: Transition
  package let form: LogProbabilityForm
  package let latents: UnsafePointer<Float>  // (count, D)
  package let velocity: UnsafePointer<Float>  // (count, D)
  package let nextLatents: UnsafePointer<Float>  // (count, D)
  /// Needed if the configuration has a reference penalty.
  package let referenceVelocity: UnsafePointer<Float>?  // (count, D)
  package let oldLogProbabilities: UnsafePointer<Double>  // (count)
  package let advantages: UnsafePointer<Double>  // (count)
  package let count: Int
  package let latentSize: Int

  package init(
    configuration: PolicyConfiguration, transition: Transition, form: LogProbabilityForm, latents: UnsafePointer<Float>,
    velocity: UnsafePointer<Float>, nextLatents: UnsafePointer<Float>, referenceVelocity: UnsafePointer<Float>? = nil,
    oldLogProbabilities: UnsafePointer<Double>, advantages: UnsafePointer<Double>, count: Int, latentSize: Int
  ) {
    self.configuration = configuration
    self.transition = transition
    self.form = form
    self.latents = latents
    self.velocity = velocity
    self.nextLatents = nextLatents
    self.referenceVelocity = referenceVelocity
    self.oldLogProbabilities = oldLogProbabilities
    self.advantages = advantages
    self.count = count
    self.latentSize = latentSize
  }

  /// The mean loss over the batch.
  /// - Parameters:
  ///   - dVelocity: (count, D), set to ∂L/∂v
  ///   - ratios: (count), set to r if given
  /// - Throws: `invalidArgument` for a deterministic step, the guarded form (whose noise is not known here), no rows or a
  ///   missing reference; `notFinite` naming the row, with `dVelocity` and `ratios` undefined.
  package func evaluate(
    dVelocity: UnsafeMutablePointer<Float>, ratios: UnsafeMutablePointer<Double>? = nil
  ) throws(MixGRPOError) -> Double {
    try validate()
    dVelocity.update(repeating: 0, count: count * latentSize)
    var loss = 0.0
    for row in 0..<count {
      let dVelocity = dVelocity + row * latentSize
      let outcome = PolicyLoss(configuration: configuration).evaluate(
        step(row), scale: 1 / Double(count), dVelocity: dVelocity)
      guard outcome.loss.isFinite, outcome.ratio.isFinite, Reduction.allFinite(dVelocity, count: latentSize) else {
        throw MixGRPOError(.notFinite, "policy loss: expected finite values, got NaN or infinity in row \(row)")
      }
      ratios?[row] = outcome.ratio
      loss += outcome.loss
    }
    return loss / Double(count)
  }

  private func step(_ row: Int) -> JudgedStep {
    let start = row * latentSize
    return JudgedStep(
      row: StepRow(latent: latents + start, next: nextLatents + start, count: latentSize, noise: nil),
      velocity: velocity + start,
      reference: configuration.referencePenalty > 0 ? referenceVelocity.map { $0 + start } : nil,
      transition: transition, form: form, oldLogProbability: oldLogProbabilities[row], advantage: advantages[row],
      stepWeight: 1)
  }

  private func validate() throws(MixGRPOError) {
    var validation = Validation()
    validation.include { () throws(MixGRPOError) in
      try configuration.validate(groupSize: configuration.updatesPerIteration)
    }
    validation.include { () throws(MixGRPOError) in try LogProbability.requireStochastic(transition) }
    validation.require(
      form != .guarded, "form", expected: "a form other than guarded, as the step's noise is not known", got: form)
    validation.require(count >= 1, "count", expected: "1 or more", got: count)
    validation.require(latentSize >= 1, "latent_size", expected: "1 or more", got: latentSize)
    validation.require(
      configuration.referencePenalty == 0 || referenceVelocity != nil, "reference_velocity",
      expected: "values, as kl_reference is set", got: "none")
    validation.include { () throws(MixGRPOError) in _ = try product(count, latentSize, field: "count") }
    try validation.throwIfAny()
  }
}
