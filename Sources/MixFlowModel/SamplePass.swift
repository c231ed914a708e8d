import MixNumerics

/// What every layer needs to take one sample through it, forward or backward.
struct SamplePass {
  let team: Team
  let weights: ParameterView
  /// The sample's row of the conditioning's table, (modulationWidth).
  let modulation: UnsafePointer<Float>
  let scratch: ForwardScratch
  let workerScratch: WorkerScratch
}

/// The gradients that one sample's backward carries from layer to layer, and those that it sums up over the sample's rows.
struct SampleGradients {
  /// Of the residual stream, (tokens, d): a layer turns the gradient of its output into that of its input.
  let dx: Matrix
  /// (modulationWidth)
  let dModulation: UnsafeMutablePointer<Float>
  /// Of the block's query and key norms, (norms, headDim): text before image in a double block.
  let dNorms: UnsafeMutablePointer<Float>
}
