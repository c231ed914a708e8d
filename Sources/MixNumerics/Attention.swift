import MixBasics

/// Softmax attention of one sample over rows that hold q, k, v side by side: o = softmax(q·kᵀ/√headDim)·v, head by head.
///
/// In bfloat16 the factors of its products are rounded; softmax, its backward and all sums are float32.
///
/// Probabilities exist for one tile (a fixed number of query rows) at a time, so memory grows with tokens·tile, not tokens².
package struct Attention {
  package let tokens: Int
  package let heads: Int
  package let headDim: Int
  /// Rows before this one are read as keys and values only; their outputs are not computed.
  package let firstQuery: Int
  /// Query rows per tile. It depends on the shape only, so that a gradient's sums always run in the same order.
  package let tileRows: Int

  private let room: UnpackedProducts.Room

  package init(tokens: Int, heads: Int, headDim: Int, firstQuery: Int = 0, precision: Precision) {
    self.tokens = tokens
    self.firstQuery = firstQuery
    self.heads = heads
    self.headDim = headDim
    tileRows = min(tokens, max(32, 131_072 / max(tokens, 1)))
    room = UnpackedProducts.Room(
      precision, left: [(tileRows, tokens), (tileRows, headDim)], right: [(tokens, headDim), (tileRows, headDim)])
  }

  package var tiles: Int { (tokens - firstQuery + tileRows - 1) / tileRows }
  /// Floats of scratch per thread: room for products, then one tile of probabilities in the forward, two in the backward.
  package var scratchCount: Int { room.floats + 2 * tileRows * tokens }
  /// Independent pieces of the forward.
  package var forwardTasks: Int { heads * tiles }

  private var width: Int { heads * headDim }
  private var scale: Float { 1 / Float(headDim).squareRoot() }

  /// Task `task` of the forward: one tile of query rows of one head.
  /// - Parameters:
  ///   - qkv: (tokens, 3·width); output: (tokens, ≥ width); scratch: (scratchCount).
  package func forward(_ task: Int, qkv: Matrix, into output: Matrix, scratch: UnsafeMutablePointer<Float>) {
    let head = task / tiles
    let rows = tile(task % tiles)
    let (products, probabilities) = (UnpackedProducts(room, scratch), scores(0, rows, in: scratch))
    attend(head, rows, qkv, probabilities, products)
    products.times(probabilities, part(2, head, of: qkv), into: output.rows(rows).columns(channels(head)))
  }

  /// Backward of one head from the saved q, k, v. Overwrites this head's columns of dQKV, except dq of rows before `firstQuery`.
  ///
  /// With P the probabilities and dP = do·vᵀ: dS = P ∘ (dP − rowsum(P ∘ dP))/√headDim, dq = dS·k, dk = dSᵀ·q, dv = Pᵀ·do.
  package func backward(
    head: Int, qkv: Matrix, dOutput: Matrix, into dQKV: Matrix, scratch: UnsafeMutablePointer<Float>
  ) {
    let products = UnpackedProducts(room, scratch)
    let (q, k, v) = (part(0, head, of: qkv), part(1, head, of: qkv), part(2, head, of: qkv))
    let (dQ, dK, dV) = (part(0, head, of: dQKV), part(1, head, of: dQKV), part(2, head, of: dQKV))
    for index in 0..<tiles {
      let rows = tile(index)
      let accumulate = index > 0
      let (probabilities, scores) = (scores(0, rows, in: scratch), scores(1, rows, in: scratch))
      let dO = dOutput.rows(rows).columns(channels(head))
      attend(head, rows, qkv, probabilities, products)
      products.transposedTimes(probabilities, dO, into: dV, accumulate: accumulate)
      products.timesTransposed(dO, v, into: scores)
      softmaxBackward(probabilities, scores, scale: scale)
      products.times(scores, k, into: dQ.rows(rows))
      products.transposedTimes(scores, q.rows(rows), into: dK, accumulate: accumulate)
    }
  }

  @inline(__always)
  private func attend(_ head: Int, _ rows: Range<Int>, _ qkv: Matrix, _ probabilities: Matrix, _ products: UnpackedProducts) {
    products.timesTransposed(part(0, head, of: qkv).rows(rows), part(1, head, of: qkv), into: probabilities)
    softmax(probabilities, scale: scale)
  }

  private func tile(_ index: Int) -> Range<Int> {
    let first = firstQuery + index * tileRows
    return first..<min(tokens, first + tileRows)
  }

  /// Memory of one tile of scores or probabilities.
  private func scores(_ index: Int, _ rows: Range<Int>, in scratch: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(scratch + room.floats + index * tileRows * tokens, rows: rows.count, columns: tokens)
  }

  private func channels(_ head: Int) -> Range<Int> { head * headDim..<(head + 1) * headDim }

  /// The columns of q (0), k (1) or v (2) of one head.
  @inline(__always)
  private func part(_ which: Int, _ head: Int, of qkv: Matrix) -> Matrix {
    let first = which * width + head * headDim
    return qkv.columns(first..<first + headDim)
  }
}

/// Each row ← e/Σe with e = exp(scale·(row − max)); for scores up to 2³⁰; above, rounding erases their differences.
private func softmax(_ matrix: Matrix, scale: Float) {
  for index in 0..<matrix.rows {
    let row = matrix.row(index)
    var greatest = Vector(repeating: -.infinity)
    forEachBlock(matrix.columns) { i, lanes in
      let v = load(row, i, lanes)
      if lanes == vectorWidth {
        greatest.replace(with: v, where: v .> greatest)
      } else {
        for lane in 0..<lanes where v[lane] > greatest[0] { greatest[0] = v[lane] }
      }
    }
    let factor = Vector(repeating: scale * log2OfE)
    let shift = Vector(repeating: -horizontalMaximum(greatest)) * factor
    exponentiate(row, count: matrix.columns, factor: factor, shift: shift)
    var sum = Vector.zero
    forEachBlock(matrix.columns) { i, lanes in sum += load(row, i, lanes) }
    let inverse = 1 / horizontalSum(sum)
    forEachBlock(matrix.columns) { i, lanes in store(load(row, i, lanes) * inverse, row, i, lanes) }
  }
}

/// x ← 2^(factor·x + shift)
private func exponentiate(_ x: UnsafeMutablePointer<Float>, count: Int, factor: Vector, shift: Vector) {
  forEachLongBlock(count) { i, lanes in store(powerOfTwo(load(x, i, lanes).multiplyAdd(factor, shift)), x, i, lanes) }
}

/// dS ← scale·P ∘ (dP − Σ P ∘ dP), row by row, in place of dP.
private func softmaxBackward(_ probabilities: Matrix, _ gradient: Matrix, scale: Float) {
  for index in 0..<gradient.rows {
    let p = probabilities.row(index)
    let d = gradient.row(index)
    var sum = Vector.zero
    forEachBlock(gradient.columns) { i, lanes in sum = load(p, i, lanes).multiplyAdd(load(d, i, lanes), sum) }
    let dot = horizontalSum(sum)
    forEachBlock(gradient.columns) { i, lanes in store(load(p, i, lanes) * (load(d, i, lanes) - dot) * scale, d, i, lanes) }
  }
}
