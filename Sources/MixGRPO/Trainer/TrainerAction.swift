import MixBasics
import MixLearning
import MixSampling

/// An action for the model owner to carry out.
///
/// The pointers of a request are views into the trainer, valid until the next call of `next`.
public enum TrainerAction {
  /// Evaluate a model without gradients and `submit` its velocity, for one step of a rollout or of deterministic sampling.
  case evaluate(VelocityRequest, weights: TrainerWeights)
  /// Evaluate the trained model, and the reference if the request needs it, `submit` the velocity, and propagate the returned
  /// dVelocity back through the model. Gradients accumulate until the next `optimizerStep` or `zeroGradients`.
  case differentiate(VelocityRequest)
  /// Evaluate the trained model without gradients and `submit` its velocity, to measure how far the update has changed it.
  case measure(VelocityRequest)
  /// Step the optimizer on the gradients with its learning rate times `rateFactor`, zero the gradients, then call `submitStep`.
  case optimizerStep(minibatch: Int, rateFactor: Double)
  /// Keep a copy of everything that an optimizer step changes. The next call of `next` confirms it.
  case keepState
  /// Restore the kept copy. The next call of `next` confirms it.
  case restoreState
  /// Give the figures of this rank (`rankFigures`) to all ranks and `submitFigures` those of all. Only with several ranks; the
  /// update ends with it.
  case combineFigures
  /// Zero the gradients. The next call of `next` confirms it.
  case zeroGradients
  /// Nothing remains to be done.
  case finished
}

/// A set of weights of a trainer.
public enum TrainerWeights: Int32, Sendable, CaseIterable {
  /// The weights after the latest update.
  case trained = 0
  /// The weights when the trainer was created.
  case base = 1
  /// The exponential moving average.
  case average = 2
}

/// Produces the actions of an update, one after another.
protocol UpdateMachine: AnyObject {
  /// The update in progress.
  var running: Update? { get }
  /// Repeated calls return the same action, unless the call confirms it.
  /// - Throws: the error that ended the update, once it is rolled back.
  func nextAction() throws(MixGRPOError) -> TrainerAction
  /// - Returns: dVelocity, (request.count, D); nil when the request needs no gradient.
  func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>?, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float>?
  func submitStep(gradientNorm: Double, learningRate: Double) throws(MixGRPOError)
  /// - Returns: whether more actions follow.
  @discardableResult
  func fail(_ error: MixGRPOError) -> Bool
}
