import MixNumerics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The modulations of all blocks: e = MLP(σ) + MLP(guidance) + MLP(pooled text), then one layer for all modulations.
///
/// They depend only on (prompt, σ, guidance), so samples with equal conditions share a row.
final class Conditioning {
  private let shape: EvaluationShape
  private let layout: ParameterLayout
  private let rows: ConditioningRows

  /// The row of each sample of the last `prepare`.
  private(set) var rowOfSample: [Int]
  private var keys: [(prompt: Int32, sigma: Float, guidance: Float)] = []

  /// - Parameter rows: room for the conditions of `capacity` samples.
  init(_ shape: EvaluationShape, _ layout: ParameterLayout, _ rows: ConditioningRows, capacity: Int) {
    (self.shape, self.layout, self.rows) = (shape, layout, rows)
    rowOfSample = Array(repeating: 0, count: capacity)
    keys.reserveCapacity(capacity)
  }

  /// The modulation row of one sample.
  @inline(__always)
  func modulation(_ sample: Int) -> UnsafeMutablePointer<Float> { rows.table.row(rowOfSample[sample]) }

  /// Computes the rows of a batch of at most `capacity` samples.
  @inline(never)
  func prepare(_ batch: EvaluationBatch, weights: ParameterView, team: Team) {
    assignRows(batch)
    for row in keys.indices { embed(row, batch.prompts, weights) }
    let weight = weights.weight(layout.modulation)
    let bias = weights.bias(layout.modulation)
    let panels = Panels(columns: shape.modulationWidth, most: 8, least: 32)
    team.forEach(keys.count * panels.count) { task, _ in
      let columns = panels[task % panels.count]
      let row = task / panels.count
      let target = rows.table.row(row) + columns.lowerBound
      target.update(from: bias + columns.lowerBound, count: columns.count)
      MatrixProduct.addTimesVector(weight.rows(columns), rows.activated.row(row), to: target)
    }
  }

  private func assignRows(_ batch: EvaluationBatch) {
    keys.removeAll(keepingCapacity: true)
    for sample in 0..<batch.count {
      let key = (
        prompt: batch.promptIndex[sample], sigma: batch.sigmas[sample],
        guidance: rows.guidance == nil ? 0 : batch.guidance[sample]
      )
      if let row = keys.firstIndex(where: { $0 == key }) {
        rowOfSample[sample] = row
      } else {
        rowOfSample[sample] = keys.count
        keys.append(key)
      }
    }
  }

  private func embed(_ row: Int, _ prompts: PromptEmbeddings, _ weights: ParameterView) {
    let e = rows.embedding.row(row)
    e.update(repeating: 0, count: shape.width)
    Self.sinusoid(1000 * Double(keys[row].sigma), into: rows.time.input.row(row))
    rows.time.forward(row, weights, addingTo: e)
    if let guidance = rows.guidance {
      Self.sinusoid(1000 * Double(keys[row].guidance), into: guidance.input.row(row))
      guidance.forward(row, weights, addingTo: e)
    }
    let width = shape.pooledWidth
    rows.pooled.input.row(row).update(from: prompts.pooled.base + Int(keys[row].prompt) * width, count: width)
    rows.pooled.forward(row, weights, addingTo: e)
    Activation.silu(e, into: rows.activated.row(row), count: shape.width)
  }

  /// 10⁴^(−i/128)
  private static let frequencies: [Double] = {
    let half = ParameterLayout.sinusoidWidth / 2
    return (0..<half).map { exp(-log(10_000) * Double($0) / Double(half)) }
  }()

  /// 128 cosines, then 128 sines of value·10⁴^(−i/128).
  private static func sinusoid(_ value: Double, into out: UnsafeMutablePointer<Float>) {
    for (index, frequency) in frequencies.enumerated() {
      out[index] = Float(cos(value * frequency))
      out[frequencies.count + index] = Float(sin(value * frequency))
    }
  }

  /// Accumulates the gradients of the modulation layer and the MLPs, sample by sample: no sum depends on which samples share a
  /// call.
  /// - Parameters:
  ///   - dModulation: (samples, modulationWidth), the gradient of each sample's row.
  ///   - scratch: for at least as many samples.
  @inline(never)
  func backward(
    _ dModulation: Matrix, scratch: ConditioningScratch, workerScratch: WorkerScratch, weights: ParameterView,
    gradients: GradientSink, team: Team
  ) {
    if let adapter = gradients.adapter, !layout.conditioningLayers.contains(where: adapter.layout.changes) { return }
    let samples = dModulation.rows
    let (dEmbedding, dHidden) = (scratch.dEmbedding.rows(0..<samples), scratch.dHidden.rows(0..<samples))
    let own = SampleRows(of: rowOfSample, count: samples, gathered: scratch.gathered)
    let x = own.gather(rows.activated)
    if let adapter = gradients.adapter {
      adapter.add(layout.modulation, dy: dModulation, x: x)
    } else {
      addModulationGradients(dModulation, x, workerScratch, gradients.view, team)
    }
    team.projectBackward(dModulation, weights.weight(layout.modulation), into: dEmbedding, workerScratch)
    for sample in 0..<samples {
      let dy = dEmbedding.row(sample)
      Activation.siluBackward(rows.embedding.row(rowOfSample[sample]), dy: dy, into: dy, count: shape.width)
    }
    let panel = workerScratch[0]
    rows.time.backward(dEmbedding, own, weights, gradients, dHidden: dHidden, panel: panel)
    rows.guidance?.backward(dEmbedding, own, weights, gradients, dHidden: dHidden, panel: panel)
    rows.pooled.backward(dEmbedding, own, weights, gradients, dHidden: dHidden, panel: panel)
  }
}

extension Conditioning {
  private func addModulationGradients(
    _ dModulation: Matrix, _ x: Matrix, _ scratch: WorkerScratch, _ gradients: ParameterView, _ team: Team
  ) {
    let panels = Panels(columns: shape.modulationWidth, most: shape.modulationWidth, least: 128)
    team.forEach(panels.count) { panel, worker in
      let columns = panels[panel]
      let dy = dModulation.columns(columns)
      MatrixProduct.transposedTimes(
        dy, x, into: gradients.weight(layout.modulation).rows(columns), accumulate: true, panel: scratch[worker])
      Reduction.addColumnSums(dy, to: gradients.bias(layout.modulation) + columns.lowerBound)
    }
  }
}

/// The values computed for each distinct condition of a batch.
struct ConditioningRows {
  let time: Embedder
  let pooled: Embedder
  let guidance: Embedder?
  let embedding: Matrix  // (rows, d): e
  let activated: Matrix  // (rows, d): SiLU(e)
  let table: Matrix  // (rows, modulationWidth)

  init(_ shape: EvaluationShape, _ layout: ParameterLayout, capacity: Int, _ arena: inout Arena) {
    time = Embedder(layout.time, rows: capacity, &arena)
    pooled = Embedder(layout.pooled, rows: capacity, &arena)
    guidance = if let layout = layout.guidance { Embedder(layout, rows: capacity, &arena) } else { nil }
    embedding = arena.matrix(capacity, shape.width)
    activated = arena.matrix(capacity, shape.width)
    table = arena.matrix(capacity, shape.modulationWidth)
  }
}

/// Scratch memory of the conditioning's backward.
struct ConditioningScratch {
  let dEmbedding: Matrix  // (samples, d)
  let dHidden: Matrix  // (samples, d)
  let gathered: UnsafeMutablePointer<Float>  // (samples, the widest input)

  init(_ shape: EvaluationShape, capacity: Int, _ arena: inout Arena) {
    dEmbedding = arena.matrix(capacity, shape.width)
    dHidden = arena.matrix(capacity, shape.width)
    gathered = arena.floats(capacity * max(shape.width, shape.pooledWidth, ParameterLayout.sinusoidWidth))
  }
}

/// Copies the rows that samples share, one copy per sample.
struct SampleRows {
  /// Row of each sample.
  let rowOf: [Int]
  let count: Int
  /// Room for the widest matrix.
  let base: UnsafeMutablePointer<Float>

  init(of rowOf: [Int], count: Int, gathered base: UnsafeMutablePointer<Float>) {
    (self.rowOf, self.count, self.base) = (rowOf, count, base)
  }

  /// (samples, columns); valid until the next call.
  func gather(_ x: Matrix) -> Matrix {
    let gathered = Matrix(base, rows: count, columns: x.columns)
    for sample in 0..<count { gathered.row(sample).update(from: x.row(rowOf[sample]), count: x.columns) }
    return gathered
  }
}
