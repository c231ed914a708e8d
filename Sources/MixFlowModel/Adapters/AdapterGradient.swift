import MixBasics
import MixNumerics

/// ∂loss/∂A and ∂loss/∂B of adapted layers. With y = W′x: dB += (scale·A·x)·dyᵀ, transposed, and dA += (scale·Bᵀ·dy)·xᵀ, summed
/// over the rows of all samples in order. No gradient of W is formed.
struct AdapterGradient {
  /// Rows of factors that one task projects; even, as pairs of rows share memory in bfloat16.
  static let rows = 32
  /// Columns of a factor that one task of a product takes.
  static let width = 128

  let layout: AdapterLayout
  /// Of sampling; 1 in training.
  let strength: Double
  let weights: UnsafePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  let factors: AdapterFactors
  let scratch: WorkerScratch

  private func scale(_ matrix: AdaptedMatrix) -> Float { Float(matrix.low.scale * strength) }

  private func room(_ worker: Int) -> UnsafeMutablePointer<Float> { scratch[worker] + MatrixProduct.panelCount }

  // MARK: - Layers whose factors are kept in panels

  /// Jobs of one layer follow each other and share dy; each has some of the layer's input columns.
  func run(_ jobs: [WeightGradient], team: Team) {
    var rest = jobs[...]
    while let layer = rest.first?.layer {
      let own = rest.prefix { $0.layer.index == layer.index }
      if layout.changes(layer) { add(own, layer, team) }
      rest = rest.dropFirst(own.count)
    }
  }

  private func add(_ jobs: ArraySlice<WeightGradient>, _ layer: LinearLayer, _ team: Team) {
    guard let dy = jobs.first?.dy else { return }
    let factors = factors.of(rows: dy.depth, columns: layout.factorColumns(layer), dy.precision)
    team.forEach((dy.depth + Self.rows - 1) / Self.rows) { task, worker in
      let rows = task * Self.rows..<min(dy.depth, (task + 1) * Self.rows)
      projectOutputs(dy, layer, rows, into: factors.outputs.rows(rows), worker)
      projectInputs(jobs, layer, rows, into: factors.inputs.rows(rows), worker)
    }
    for matrix in layout.matrices(of: layer) {
      for job in jobs { addToA(matrix, factors.outputs, job, team) }
      addToB(matrix, factors.inputs, dy, team)
    }
  }

  /// scale·dy·B of every matrix of the layer.
  private func projectOutputs(
    _ dy: PackedMatrix, _ layer: LinearLayer, _ rows: Range<Int>, into target: PackedMatrix, _ worker: Int
  ) {
    let projected = Matrix(room(worker), rows: rows.count, columns: target.columns)
    let plain = Matrix(room(worker) + rows.count * target.columns, rows: rows.count, columns: layer.outputs)
    dy.unpack(rows, into: plain)
    Reduction.clear(projected)
    for matrix in layout.matrices(of: layer) {
      let own = projected.columns(matrix.columns)
      MatrixProduct.times(
        plain.columns(matrix.module.rows), matrix.factors(of: weights).b, into: own, panel: scratch[worker])
      Reduction.scale(own, by: scale(matrix), into: own)
    }
    target.pack(projected, rows: 0..<rows.count)
  }

  /// scale·x·Aᵀ of every matrix of the layer.
  private func projectInputs(
    _ jobs: ArraySlice<WeightGradient>, _ layer: LinearLayer, _ rows: Range<Int>, into target: PackedMatrix, _ worker: Int
  ) {
    let projected = Matrix(room(worker), rows: rows.count, columns: target.columns)
    Reduction.clear(projected)
    for job in jobs {
      let plain = Matrix(room(worker) + rows.count * target.columns, rows: rows.count, columns: job.x.columns)
      job.x.unpack(rows, into: plain)
      for matrix in layout.matrices(of: layer) {
        let a = matrix.factors(of: weights).a.columns(job.firstColumn..<job.firstColumn + job.x.columns)
        MatrixProduct.timesTransposed(
          plain, a, into: projected.columns(matrix.columns), accumulate: true, panel: scratch[worker])
      }
    }
    for matrix in layout.matrices(of: layer) {
      let own = projected.columns(matrix.columns)
      Reduction.scale(own, by: scale(matrix), into: own)
    }
    target.pack(projected, rows: 0..<rows.count)
  }

  private func addToA(_ matrix: AdaptedMatrix, _ outputs: PackedMatrix, _ job: WeightGradient, _ team: Team) {
    let target = matrix.factors(of: gradients).a.columns(job.firstColumn..<job.firstColumn + job.x.columns)
    let panels = Panels(columns: job.x.columns, most: job.x.columns, least: Self.width)
    team.forEach(panels.count) { task, _ in
      let columns = panels[task]
      GradientProduct.add(outputs.columns(matrix.columns), job.x.columns(columns), to: target.columns(columns))
    }
  }

  /// dB lies the other way round than products write, and its rows need not begin at a panel: each piece is copied to the scratch
  /// memory and back.
  private func addToB(_ matrix: AdaptedMatrix, _ inputs: PackedMatrix, _ dy: PackedMatrix, _ team: Team) {
    let own = matrix.module.rows
    let first = PackedMatrix.panelStart(own.lowerBound)
    let panels = Panels(columns: own.upperBound - first, most: own.count + 16, least: Self.width)
    let target = matrix.factors(of: gradients).b
    team.forEach(panels.count) { task, worker in
      let columns = first + panels[task].lowerBound..<first + panels[task].upperBound
      let turned = Matrix(room(worker), rows: matrix.rank, columns: columns.count)
      Reduction.clear(turned)
      let rows = columns.clamped(to: own)
      for row in rows {
        for k in 0..<matrix.rank { turned.row(k)[row - columns.lowerBound] = target.row(row - own.lowerBound)[k] }
      }
      GradientProduct.add(inputs.columns(matrix.columns), dy.columns(columns), to: turned)
      for row in rows {
        for k in 0..<matrix.rank { target.row(row - own.lowerBound)[k] = turned.row(k)[row - columns.lowerBound] }
      }
    }
  }

  // MARK: - Layers of the conditioning

  /// - Parameters:
  ///   - dy: (samples, outputs).
  ///   - x: (samples, inputs).
  func add(_ layer: LinearLayer, dy: Matrix, x: Matrix) {
    for matrix in layout.matrices(of: layer) {
      let (a, b) = matrix.factors(of: weights)
      let (dA, dB) = matrix.factors(of: gradients)
      for first in stride(from: 0, to: dy.rows, by: Self.rows) {
        let rows = first..<min(dy.rows, first + Self.rows)
        let projected = Matrix(room(0), rows: rows.count, columns: matrix.rank)
        let (x, dy) = (x.rows(rows), dy.rows(rows).columns(matrix.module.rows))
        MatrixProduct.timesTransposed(x, a, into: projected, panel: scratch[0])
        Reduction.scale(projected, by: scale(matrix), into: projected)
        MatrixProduct.transposedTimes(dy, projected, into: dB, accumulate: true, panel: scratch[0])
        MatrixProduct.times(dy, b, into: projected, panel: scratch[0])
        Reduction.scale(projected, by: scale(matrix), into: projected)
        MatrixProduct.transposedTimes(projected, x, into: dA, accumulate: true, panel: scratch[0])
      }
    }
  }
}

/// Memory for scale·dy·B and scale·x·Aᵀ of one layer, for all samples, in panels.
struct AdapterFactors {
  private let outputs: UnsafeMutablePointer<Float>
  private let inputs: UnsafeMutablePointer<Float>

  /// - Parameter rows: of all samples.
  init(_ adapter: AdapterLayout, rows: Int, _ arena: inout Arena) {
    outputs = arena.floats(PackedMatrix.floats(depth: rows, columns: adapter.factorColumns))
    inputs = arena.floats(PackedMatrix.floats(depth: rows, columns: adapter.factorColumns))
  }

  func of(rows: Int, columns: Int, _ precision: Precision) -> (outputs: PackedMatrix, inputs: PackedMatrix) {
    (
      PackedMatrix(outputs, depth: rows, columns: columns, precision),
      PackedMatrix(inputs, depth: rows, columns: columns, precision)
    )
  }
}

extension AdapterLayout {
  /// Floats of scratch memory that a worker needs to merge weights and to project factors.
  var scratchCount: Int {
    let widest = matrices.map { max($0.module.layer.inputs, $0.module.layer.outputs) }.max() ?? 0
    let rank = matrices.map(\.rank).max() ?? 0
    let projection = AdapterGradient.rows * (factorColumns + widest)
    return MatrixProduct.panelCount + max(projection, MergedWeights.rows * rank, rank * AdapterGradient.width)
  }
}
