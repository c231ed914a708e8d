import MixNumerics

/// The memory of one sample's residual stream: the same for all blocks when nothing is saved, its own for each block otherwise.
struct ResidualStream {
  let shape: EvaluationShape
  let saving: SavedPlace?
  let scratch: ForwardScratch

  var input: (text: Matrix, image: Matrix) { place(beforeBlock: 0) }
  var final: Matrix { saving?.final ?? scratch.stream }

  func double(_ index: Int) -> DoubleActivations {
    guard let saved = saving?.double(index) else { return scratch.double(shape) }
    return keepsInputsOnly ? scratch.double(shape).replacingInputs(by: saved) : saved
  }

  func single(_ index: Int) -> SingleActivations {
    guard let saved = saving?.single(index) else { return scratch.single() }
    return keepsInputsOnly ? scratch.single().replacingInput(by: saved) : saved
  }

  /// With recomputation blocks share the memory of all activations but their inputs, and samples are not all in the same block.
  private var keepsInputsOnly: Bool { saving?.activations.recomputes ?? false }

  func output(ofDouble index: Int) -> (text: Matrix, image: Matrix) { place(beforeBlock: index + 1) }

  func output(ofSingle index: Int) -> Matrix {
    index + 1 < shape.singleBlocks ? single(index + 1).x : final
  }

  private func place(beforeBlock index: Int) -> (text: Matrix, image: Matrix) {
    if index < shape.doubleBlocks {
      let block = double(index)
      return (block.text.x, block.image.x)
    }
    return shape.streams(of: shape.singleBlocks > 0 ? single(0).x : final)
  }
}

/// One sample's place among the saved activations.
struct SavedPlace {
  let activations: SavedActivations
  let sample: Int

  var final: Matrix { activations.final(sample: sample) }

  func double(_ block: Int) -> DoubleActivations { activations.double(block, samples: sample..<sample + 1) }
  func single(_ block: Int) -> SingleActivations { activations.single(block, samples: sample..<sample + 1) }
}
