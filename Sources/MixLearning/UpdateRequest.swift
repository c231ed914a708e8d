/// What an update asks of its host.
public enum UpdateAction {
  /// Evaluate the model, submit the velocity, and carry the answer back through the model.
  case evaluate(UpdateRequest)
  /// Step the optimizer on the gradients gathered since the last step, and zero them. The following `next` takes it as done.
  case optimizerStep(part: Int)
  /// All parts have been trained on.
  case finished
}

/// Latents whose velocity an update needs, with gradients. Rows of several steps may stand together.
///
/// The pointers are views into the update; they hold until its next `next`, so that a backward after `submit` may read them.
public struct UpdateRequest {
  /// Rows, at least 1.
  public let count: Int
  /// D
  public let latentSize: Int
  /// (count, latentSize), row by row.
  public let latents: UnsafePointer<Float>
  /// (count), the noise level of each row, as the model is told it.
  public let sigmas: UnsafeBufferPointer<Float>
  /// The host's number of the prompt.
  public let promptIndex: UnsafeBufferPointer<Int32>  // (count)
  /// The first sample (prompt · group size + member) that the row stands for.
  public let sampleOfRow: UnsafeBufferPointer<Int32>  // (count)
  /// The plan's step of each row.
  public let stepOfRow: UnsafeBufferPointer<Int32>  // (count)
  /// Index of the part, 0 ..< updatesPerIteration.
  public let part: Int
  /// Whether `submit` needs the frozen reference's velocity too.
  public let needsReference: Bool

  /// Values that `submit` expects.
  public var velocityCount: Int { count * latentSize }
}
