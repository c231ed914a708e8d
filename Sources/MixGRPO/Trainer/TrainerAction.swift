import MixBasics
import MixLearning
import MixSampling

/// What a trainer asks of the owner of its model.
///
/// The pointers of a request are views into the trainer; they hold until its next `next`.
public enum TrainerAction {
  /// Evaluate a model without gradients and `submit` its velocity: one step of a rollout or of deterministic samples.
  case evaluate(VelocityRequest, weights: TrainerWeights)
  /// Evaluate the trained model, and the reference if the request needs it, `submit` the velocity, and carry the ∂L/∂v that
  /// this gives back through the model: gradients add up until the next `optimizerStep` or `zeroGradients`.
  case differentiate(VelocityRequest)
  /// Evaluate the trained model without gradients and `submit` its velocity, to see how far the update has changed it.
  case measure(VelocityRequest)
  /// Step the optimizer on the gradients, at its own learning rate times `rateFactor`, zero them, then `submitStep`.
  case optimizerStep(minibatch: Int, rateFactor: Double)
  /// Keep a copy of all that an optimizer step changes. The following `next` takes it as done.
  case keepState
  /// Bring all that was kept back. The following `next` takes it as done.
  case restoreState
  /// Zero the gradients. The following `next` takes it as done.
  case zeroGradients
  /// Nothing is left to do.
  case finished
}

/// Which weights of a trainer.
public enum TrainerWeights: Int32, Sendable, CaseIterable {
  /// As the latest update left them.
  case trained = 0
  /// As they were when the trainer was made.
  case base = 1
  /// The running mean.
  case average = 2
}

/// What gives an update's actions, one after the other.
protocol UpdateMachine: AnyObject {
  /// Repeated, it gives the same action, unless that is one that it takes as done.
  /// - Throws: what ended the update, once all of it is undone.
  func nextAction() throws(MixGRPOError) -> TrainerAction
  /// - Returns: ∂L/∂v, (request.count, D); nil when no gradient is asked for.
  func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>?, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float>?
  func submitStep(gradientNorm: Double, learningRate: Double) throws(MixGRPOError)
  /// - Returns: whether actions follow.
  @discardableResult
  func fail(_ error: MixGRPOError) -> Bool
}
