import MixBasics

/// What an update asks its host to do.
public enum UpdateAction {
  /// Evaluate the model, submit the velocity, and carry ∂L/∂v back through the model. Rows of several steps may stand together.
  case evaluate(VelocityRequest)
  /// Step the optimizer on the gradients gathered since the last step, and zero them. The following `next` takes it as done.
  case optimizerStep(minibatch: Int)
  /// All minibatches have been trained on.
  case finished
}
