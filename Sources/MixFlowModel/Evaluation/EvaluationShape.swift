import MixBasics
import MixNumerics

/// The sizes of one evaluation.
struct EvaluationShape: Equatable {
  let width: Int  // d
  let feedForward: Int  // 4d
  let heads: Int
  let headDim: Int
  let latentChannels: Int  // C
  let outChannels: Int
  let imageTokens: Int  // N
  let textTokens: Int  // L
  let textWidth: Int  // J
  let pooledWidth: Int
  let doubleBlocks: Int
  let singleBlocks: Int
  let modulationWidth: Int
  /// Of the factors in the blocks' products.
  let precision: Precision
  /// Text tokens, then image tokens.
  var tokens: Int { textTokens + imageTokens }
  var latentSize: Int { imageTokens * latentChannels }  // D
  var outputSize: Int { imageTokens * outChannels }

  /// - Parameter firstQuery: rows before this one are read as keys and values only.
  func attention(firstQuery: Int = 0) -> Attention {
    Attention(tokens: tokens, heads: heads, headDim: headDim, firstQuery: firstQuery, precision: precision)
  }

  /// The rows of each stream in a joint matrix, (tokens, columns).
  func streams(of joint: Matrix) -> (text: Matrix, image: Matrix) {
    (joint.rows(0..<textTokens), joint.rows(textTokens..<tokens))
  }

  init(
    _ configuration: FlowTransformerConfiguration, _ layout: ParameterLayout, imageTokens: Int, textTokens: Int,
    precision: Precision
  ) {
    width = configuration.width
    feedForward = configuration.feedForwardWidth
    heads = configuration.numAttentionHeads
    headDim = configuration.attentionHeadDim
    latentChannels = configuration.inChannels
    outChannels = configuration.outChannels
    self.imageTokens = imageTokens
    self.textTokens = textTokens
    textWidth = configuration.jointAttentionDim
    pooledWidth = configuration.pooledProjectionDim
    doubleBlocks = configuration.numLayers
    singleBlocks = configuration.numSingleLayers
    modulationWidth = layout.modulation.outputs
    self.precision = precision
  }
}

/// Weights or gradients, addressed by the layout.
struct ParameterView {
  let base: UnsafeMutablePointer<Float>
  /// Wᵀ of each projection, by the layer's index; weights only.
  var packedTable: UnsafePointer<PackedMatrix>?

  /// W of each layer where an adapter changes some, by the layer's index; weights only.
  var mergedTable: UnsafePointer<UnsafeMutablePointer<Float>>?

  @inline(__always)
  func weight(_ layer: LinearLayer) -> Matrix {
    Matrix(mergedTable?[layer.index] ?? base + layer.weight, rows: layer.outputs, columns: layer.inputs)
  }

  /// Wᵀ (inputs, outputs) of a projection, packed.
  @inline(__always)
  func packed(_ layer: LinearLayer) -> PackedMatrix {
    packedTable.unsafelyUnwrapped[layer.index]
  }

  @inline(__always)
  func bias(_ layer: LinearLayer) -> UnsafeMutablePointer<Float> { base + layer.bias }
}

/// dW += dyᵀ·x and db += Σ dy over the rows of all samples, in independent pieces of W.
struct WeightGradient {
  let layer: LinearLayer
  let dy: PackedMatrix  // (rows of all samples, outputs)
  let x: PackedMatrix  // (rows of all samples, columns of W that x is multiplied with)
  /// The first column of W that x is multiplied with.
  var firstColumn = 0
  var hasBias = true

  /// W is cut along its longer side.
  private var cutsRows: Bool { layer.outputs >= x.columns }
  private var panels: Panels { Panels(columns: max(layer.outputs, x.columns), most: 4, least: 128) }
  private var tasks: Int { panels.count }

  private func run(_ task: Int, gradients: ParameterView) {
    let piece = panels[task]
    let target = gradients.weight(layer).columns(firstColumn..<firstColumn + x.columns)
    if cutsRows {
      GradientProduct.add(dy.columns(piece), x, to: target.rows(piece))
      if hasBias { Reduction.addColumnSums(dy.columns(piece), to: gradients.bias(layer) + piece.lowerBound) }
    } else {
      GradientProduct.add(dy, x.columns(piece), to: target.columns(piece))
      if hasBias && task == 0 { Reduction.addColumnSums(dy, to: gradients.bias(layer)) }
    }
  }

  /// All pieces of several layers.
  static func runAll(_ jobs: borrowing [WeightGradient], gradients: ParameterView, team: Team) {
    jobs.withUnsafeBufferPointer { jobs in
      let total = jobs.reduce(0) { $0 + $1.tasks }
      team.forEach(total) { task, _ in
        var rest = task
        for job in jobs {
          if rest < job.tasks { return job.run(rest, gradients: gradients) }
          rest -= job.tasks
        }
      }
    }
  }
}
