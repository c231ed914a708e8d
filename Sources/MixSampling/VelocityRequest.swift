/// What a model is asked in one call: the velocity of each of `count` latents.
///
/// A row is a distinct latent. It stands for several members of a group where these share it. The pointers are views into the
/// machine that made the request; they hold until its next `submit`.
public struct VelocityRequest {
  /// Rows, at least 1.
  public let count: Int
  /// D, the values of one latent
  public let latentSize: Int
  /// (count, latentSize), row by row.
  public let latents: UnsafePointer<Float>
  /// The noise level, as the model is told it.
  public let sigmas: UnsafeBufferPointer<Float>  // (count)
  /// The host's number of the prompt.
  public let promptIndex: UnsafeBufferPointer<Int32>  // (count)
  /// The first sample (prompt · group size + member) that the row stands for.
  public let sampleOfRow: UnsafeBufferPointer<Int32>  // (count)
  /// The row of this request that stands for each sample, −1 for a sample of another request.
  public let rowOfSample: UnsafeBufferPointer<Int32>  // (prompts · group size)
  /// The step of the plan that the velocity is for.
  public let step: Int
  /// Whose velocity is asked for.
  public let model: ModelChoice

  /// Values that `submit` expects.
  public var velocityCount: Int { count * latentSize }
}
