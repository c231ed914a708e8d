import MixBasics
import MixNumerics

/// W′ = W + scale·B·A of the layers that an adapter changes, and float32 copies of those that a frozen model rounds, in memory of the
/// evaluator.
///
/// Products read W′ packed, so neither costs anything there. Embedders, modulations, input and output layers have room of their
/// own. The layers of all blocks share room for one block: they are merged right before they are packed.
struct MergedWeights {
  /// Rows that one task merges.
  static let rows = 32

  private let model: FlowTransformer
  private let places: MergedPlaces
  /// The layer's own room or, without one, W in the model, by the layer's index.
  let table: UnsafeMutablePointer<UnsafeMutablePointer<Float>>

  init(_ model: FlowTransformer, in places: MergedPlaces) {
    (self.model, self.places, table) = (model, places, places.table)
    let frozen = UnsafeMutablePointer(mutating: model.baseWeights)
    for layer in model.layout.layers { table[layer.index] = places.rooms[layer.index] ?? frozen + layer.weight }
  }

  /// W′ of some layers. The memory of blocks is that of the last block merged.
  func merge(_ layers: [LinearLayer], _ scratch: WorkerScratch, team: Team) {
    for layer in layers where places.rooms[layer.index] != nil {
      team.forEach((layer.outputs + Self.rows - 1) / Self.rows) { task, worker in
        let rows = task * Self.rows..<min(layer.outputs, (task + 1) * Self.rows)
        merge(layer, rows, scratch[worker])
      }
    }
  }

  private func merge(_ layer: LinearLayer, _ rows: Range<Int>, _ scratch: UnsafeMutablePointer<Float>) {
    let merged = Matrix(table[layer.index], rows: layer.outputs, columns: layer.inputs).rows(rows)
    if model.layout.roundsWeights(of: layer) {
      model.baseRounded?.matrix(at: layer.weight, columns: layer.inputs).widen(rows, into: merged)
    } else {
      let frozen = UnsafeMutablePointer(mutating: model.baseWeights) + layer.weight
      Reduction.copy(Matrix(frozen, rows: layer.outputs, columns: layer.inputs).rows(rows), into: merged)
    }
    if let adapter = model.adapter { model.add(adapter, of: layer, rows, to: merged, scratch) }
  }
}

extension FlowTransformer {
  /// A new model in float32 with W′ = W + scale·B·A in place of W and without an adapter; of a model without an adapter, a copy.
  /// - Throws: `outOfMemory`.
  public func merged() throws(MixGRPOError) -> FlowTransformer {
    guard let frozen, let adapter else { return try widened() }
    let whole = try frozen.widened()
    let scratch = try FloatStorage(count: adapter.scratchCount)
    guard let weights = whole.writableWeights().baseAddress else { return whole }
    for layer in whole.layout.layers where adapter.changes(layer) {
      let matrix = Matrix(weights + layer.weight, rows: layer.outputs, columns: layer.inputs)
      for first in stride(from: 0, to: layer.outputs, by: MergedWeights.rows) {
        let rows = first..<min(layer.outputs, first + MergedWeights.rows)
        add(adapter, of: layer, rows, to: matrix.rows(rows), scratch.base)
      }
    }
    return whole
  }

  /// merged += scale·B·A for some of a layer's rows.
  /// - Parameters:
  ///   - merged: these rows, at most `MergedWeights.rows`.
  ///   - scratch: `AdapterLayout.scratchCount`.
  fileprivate func add(
    _ adapter: AdapterLayout, of layer: LinearLayer, _ rows: Range<Int>, to merged: Matrix,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    for matrix in adapter.matrices(of: layer) {
      let own = rows.clamped(to: matrix.module.rows)
      if own.isEmpty { continue }
      let (a, b) = matrix.factors(of: weights)
      let first = matrix.module.rows.lowerBound
      let scaled = Matrix(scratch + MatrixProduct.panelCount, rows: own.count, columns: matrix.rank)
      let piece = b.rows(own.lowerBound - first..<own.upperBound - first)
      Reduction.scale(piece, by: Float(matrix.low.scale * adapterStrength), into: scaled)
      MatrixProduct.times(
        scaled, a, into: merged.rows(own.lowerBound - rows.lowerBound..<own.upperBound - rows.lowerBound), accumulate: true,
        panel: scratch)
    }
  }
}

extension AdaptedMatrix {
  /// A (rank, inputs) and B (outputs, rank) in a vector of the adapter's values, or of their gradients.
  func factors(of values: UnsafePointer<Float>) -> (a: Matrix, b: Matrix) {
    let base = UnsafeMutablePointer(mutating: values)
    return (
      Matrix(base + a, rows: rank, columns: module.inputs), Matrix(base + b, rows: module.outputs, columns: rank)
    )
  }
}

/// Room for merged and for widened weights.
struct MergedPlaces {
  let table: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  /// By the layer's index; nil where products read the model's own weights.
  let rooms: [UnsafeMutablePointer<Float>?]

  init(_ layout: ParameterLayout, _ adapter: AdapterLayout?, _ arena: inout Arena) {
    table = arena.values(UnsafeMutablePointer<Float>.self, layout.layerCount)
    var rooms: [UnsafeMutablePointer<Float>?] = Array(repeating: nil, count: layout.layerCount)
    func place(_ layers: [LinearLayer], _ arena: inout Arena) {
      for layer in layers where layout.roundsWeights(of: layer) || adapter?.changes(layer) == true {
        rooms[layer.index] = arena.floats(layer.outputs, layer.inputs)
      }
    }
    place(layout.conditioningLayers + layout.edgeLayers, &arena)
    let start = arena.position
    for block in layout.layersOfBlocks {
      arena.reuse(from: start)
      place(block, &arena)
    }
    arena.continueBehindAll()
    self.rooms = rooms
  }
}
