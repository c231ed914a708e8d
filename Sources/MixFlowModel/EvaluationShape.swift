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
  /// Text tokens, then image tokens.
  var tokens: Int { textTokens + imageTokens }
  var latentSize: Int { imageTokens * latentChannels }  // D
  var outputSize: Int { imageTokens * outChannels }

  /// The rows of each stream in a joint matrix, (tokens, columns).
  func streams(of joint: Matrix) -> (text: Matrix, image: Matrix) {
    (joint.rows(0..<textTokens), joint.rows(textTokens..<tokens))
  }

  init(_ configuration: FlowTransformerConfiguration, _ layout: ParameterLayout, imageTokens: Int, textTokens: Int) {
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
  }
}

/// Weights or gradients, addressed by the layout.
struct ParameterView {
  let base: UnsafeMutablePointer<Float>
  /// The address of packed offset 0; weights only.
  var packedBase: UnsafeMutablePointer<Float>?

  @inline(__always)
  func weight(_ layer: LinearLayer) -> Matrix { Matrix(base + layer.weight, rows: layer.outputs, columns: layer.inputs) }

  /// Wᵀ (inputs, outputs) of a projection, packed.
  @inline(__always)
  func packed(_ layer: LinearLayer) -> PackedMatrix {
    PackedMatrix((packedBase ?? base) + layer.packed, depth: layer.inputs, columns: layer.outputs)
  }

  @inline(__always)
  func bias(_ layer: LinearLayer) -> UnsafeMutablePointer<Float> { base + layer.bias }
}

extension Team {
  /// One panel for a team of one.
  @inline(__always)
  private func panels(_ columns: Int) -> Panels { Panels(columns: columns, most: self === Team.alone ? 1 : 8, least: 32) }

  /// y = x·Wᵀ given Wᵀ packed, or y += x·Wᵀ, panel by panel of its columns.
  @inline(__always)
  func project(_ x: Matrix, _ weight: PackedMatrix, into y: Matrix, accumulate: Bool = false) {
    let panels = panels(weight.columns)
    forEach(panels.count) { panel, _ in
      let columns = panels[panel]
      MatrixProduct.times(x, weight.columns(columns), into: y.columns(columns), accumulate: accumulate)
    }
  }

  /// The same for two streams in one stage.
  @inline(__always)
  func project(_ x: (Matrix, Matrix), _ weight: (PackedMatrix, PackedMatrix), into y: (Matrix, Matrix)) {
    let panels = panels(weight.0.columns)
    forEach(2 * panels.count) { task, _ in
      let columns = panels[task / 2]
      if task % 2 == 0 {
        MatrixProduct.times(x.0, weight.0.columns(columns), into: y.0.columns(columns))
      } else {
        MatrixProduct.times(x.1, weight.1.columns(columns), into: y.1.columns(columns))
      }
    }
  }

  /// dx = dy·W, panel by panel of W's columns.
  @inline(__always)
  func projectBackward(_ dy: Matrix, _ weight: Matrix, into dx: Matrix, _ scratch: WorkerScratch) {
    let panels = panels(weight.columns)
    forEach(panels.count) { panel, worker in
      let columns = panels[panel]
      MatrixProduct.times(dy, weight.columns(columns), into: dx.columns(columns), panel: scratch[worker])
    }
  }
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
