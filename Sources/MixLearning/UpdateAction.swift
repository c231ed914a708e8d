import MixBasics

/// An action that an update requests from its host.
public enum UpdateAction {
  /// Evaluate the model, submit the velocity, and backpropagate ∂L/∂v through the model. A request may have rows of several steps.
  case evaluate(VelocityRequest)
  /// Step the optimizer on the gradients since the last step, and zero them. The following `next` assumes that this is done.
  case optimizerStep(minibatch: Int)
  /// All minibatches have been trained on.
  case finished
}
