import MixBasics
import MixNumerics

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What every block is modulated by: e = MLP(σ) + MLP(guidance) + MLP(pooled text), then one row of all modulations.
///
/// It depends on (prompt, σ, guidance) only, so equal conditions share one row, whatever the batch.
final class Conditioning {
  private let shape: EvaluationShape
  private let layout: ParameterLayout
  private let storage: FloatStorage
  private let time: Embedder
  private let guidance: Embedder?
  private let pooled: Embedder
  private let embedding: Matrix  // (rows, d): e
  private let activated: Matrix  // (rows, d): SiLU(e)
  private let table: Matrix  // (rows, modulationWidth)
  private let capacity: Int

  /// Row of each sample of the last `prepare`.
  private(set) var rowOfSample: [Int]
  private var keys: [(prompt: Int32, sigma: Float, guidance: Float)] = []

  init(_ shape: EvaluationShape, _ layout: ParameterLayout, capacity: Int) throws(MixGRPOError) {
    (self.shape, self.layout, self.capacity) = (shape, layout, capacity)
    let (d, m) = (shape.width, shape.modulationWidth)
    storage = try FloatStorage(count: Self.floats(shape, layout, capacity: capacity))
    let base = storage.base
    var plan = ArenaPlan()
    time = Embedder(layout.time, rows: capacity, base: base, &plan)
    pooled = Embedder(layout.pooled, rows: capacity, base: base, &plan)
    var guidance: Embedder?
    if let guidanceLayout = layout.guidance { guidance = Embedder(guidanceLayout, rows: capacity, base: base, &plan) }
    self.guidance = guidance
    embedding = Matrix(base + plan.reserve(capacity * d), rows: capacity, columns: d)
    activated = Matrix(base + plan.reserve(capacity * d), rows: capacity, columns: d)
    table = Matrix(base + plan.reserve(capacity * m), rows: capacity, columns: m)
    rowOfSample = Array(repeating: 0, count: capacity)
    keys.reserveCapacity(capacity)
  }

  static func backwardFloats(_ shape: EvaluationShape, capacity: Int) -> Int {
    capacity * (2 * shape.width + max(shape.width, shape.pooledWidth, ParameterLayout.sinusoidWidth))
  }

  static func floats(_ shape: EvaluationShape, _ layout: ParameterLayout, capacity: Int) -> Int {
    let embedders = [layout.time, layout.pooled] + (layout.guidance.map { [$0] } ?? [])
    return embedders.reduce(capacity * (2 * shape.width + shape.modulationWidth) + 48) {
      $0 + Embedder.floats($1, rows: capacity)
    }
  }

  /// The modulation row of one sample.
  @inline(__always)
  func modulation(_ sample: Int) -> UnsafeMutablePointer<Float> { table.row(rowOfSample[sample]) }

  /// Computes the rows of a batch, of at most `capacity` samples.
  func prepare(_ batch: EvaluationBatch, weights: ParameterView, team: Team) {
    assignRows(batch)
    for row in keys.indices { embed(row, batch.prompts, weights) }
    let weight = weights.weight(layout.modulation)
    let bias = weights.bias(layout.modulation)
    let panels = Panels(columns: shape.modulationWidth, most: 8, least: 32)
    team.forEach(keys.count * panels.count) { task, _ in
      let columns = panels[task % panels.count]
      let row = task / panels.count
      let target = table.row(row) + columns.lowerBound
      target.update(from: bias + columns.lowerBound, count: columns.count)
      MatrixProduct.addTimesVector(weight.rows(columns), activated.row(row), to: target)
    }
  }

  private func assignRows(_ batch: EvaluationBatch) {
    keys.removeAll(keepingCapacity: true)
    for sample in 0..<batch.count {
      let key = (
        prompt: batch.promptIndex[sample], sigma: batch.sigmas[sample],
        guidance: guidance == nil ? 0 : batch.guidance[sample]
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
    let e = embedding.row(row)
    e.update(repeating: 0, count: shape.width)
    Self.sinusoid(1000 * Double(keys[row].sigma), into: time.input.row(row))
    time.forward(row, weights, addingTo: e)
    if let guidance {
      Self.sinusoid(1000 * Double(keys[row].guidance), into: guidance.input.row(row))
      guidance.forward(row, weights, addingTo: e)
    }
    let width = shape.pooledWidth
    pooled.input.row(row).update(from: prompts.pooled.base + Int(keys[row].prompt) * width, count: width)
    pooled.forward(row, weights, addingTo: e)
    Activation.silu(e, into: activated.row(row), count: shape.width)
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

  /// Accumulates all gradients above the modulations, sample by sample: no sum depends on which samples share a call.
  /// - Parameters:
  ///   - dmodulation: (samples, modulationWidth), the gradient of each sample's row.
  ///   - scratch: `backwardFloats`.
  func backward(
    dmodulation: Matrix, scratch: UnsafeMutablePointer<Float>, weights: ParameterView, gradients: ParameterView,
    team: Team
  ) {
    let (samples, d) = (dmodulation.rows, shape.width)
    let dembedding = Matrix(scratch, rows: samples, columns: d)
    let rows = SampleRows(of: rowOfSample, count: samples, gathered: scratch + 2 * samples * d)
    let x = rows.gather(activated)
    let panels = Panels(columns: shape.modulationWidth, most: shape.modulationWidth, least: 128)
    team.forEach(panels.count) { panel, _ in
      let columns = panels[panel]
      let dy = dmodulation.columns(columns)
      MatrixProduct.transposedTimes(dy, x, into: gradients.weight(layout.modulation).rows(columns), accumulate: true)
      Reduction.addColumnSums(dy, to: gradients.bias(layout.modulation) + columns.lowerBound)
    }
    team.projectBackward(dmodulation, weights.weight(layout.modulation), into: dembedding)
    for sample in 0..<samples {
      let dy = dembedding.row(sample)
      Activation.siluBackward(embedding.row(rowOfSample[sample]), dy: dy, into: dy, count: d)
    }
    let dhidden = Matrix(scratch + samples * d, rows: samples, columns: d)
    time.backward(dembedding, rows, weights, gradients, dhidden: dhidden)
    guidance?.backward(dembedding, rows, weights, gradients, dhidden: dhidden)
    pooled.backward(dembedding, rows, weights, gradients, dhidden: dhidden)
  }
}

/// The rows that samples share, side by side for each of them.
struct SampleRows {
  /// Row of each sample.
  let rowOf: [Int]
  let count: Int
  /// Room for the widest.
  let base: UnsafeMutablePointer<Float>

  init(of rowOf: [Int], count: Int, gathered base: UnsafeMutablePointer<Float>) {
    (self.rowOf, self.count, self.base) = (rowOf, count, base)
  }

  /// (samples, columns); holds until the next call.
  func gather(_ x: Matrix) -> Matrix {
    let gathered = Matrix(base, rows: count, columns: x.columns)
    for sample in 0..<count { gathered.row(sample).update(from: x.row(rowOf[sample]), count: x.columns) }
    return gathered
  }
}
