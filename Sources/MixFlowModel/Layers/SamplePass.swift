import MixNumerics

/// The arguments that every layer needs for one sample, in the forward and in the backward.
struct SamplePass {
  let team: Team
  let weights: ParameterView
  /// The sample's row of the conditioning's table, (modulationWidth).
  let modulation: UnsafePointer<Float>
  let scratch: ForwardScratch
  let workerScratch: WorkerScratch
}

/// The gradients of one sample that pass from layer to layer, and those that are summed over the sample's rows.
struct SampleGradients {
  /// Of the residual stream, (tokens, d): a layer turns the gradient of its output into that of its input.
  let dx: Matrix
  /// (modulationWidth)
  let dModulation: UnsafeMutablePointer<Float>
  /// Of the block's query and key norms, (norms, headDim): text before image in a double block.
  let dNorms: UnsafeMutablePointer<Float>
}
