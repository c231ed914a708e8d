/// Turns the rows of a projection into attention's queries and keys: bias, RMSNorm per head, rotary embedding.
///
/// For one head: q = R(x̂ ∘ w), x̂ = x/√(mean(x²) + 1e−6), R the token's rotation. Source: FLUX.
package struct QueryKeyNormalization {
  package static let epsilon: Float = 1e-6
  package let heads: Int
  package let headDim: Int
  package let rotary: RotaryEmbedding

  package init(heads: Int, rotary: RotaryEmbedding) {
    self.heads = heads
    self.headDim = rotary.headDim
    self.rotary = rotary
  }

  private var width: Int { heads * headDim }

  /// raw ← raw + bias, then joint ← (normalised rotated q, normalised rotated k, v).
  /// - Parameters:
  ///   - raw: (rows, ≥ 3·width) with q, k, v side by side; receives the projection with bias, which the backward reads.
  ///   - firstToken: the rotary row of the first row.
  ///   - joint: (rows, 3·width), may be `raw`.
  package func apply(
    raw: Matrix, bias: UnsafePointer<Float>, queryWeight: UnsafePointer<Float>, keyWeight: UnsafePointer<Float>,
    firstToken: Int, into joint: Matrix
  ) {
    for row in 0..<raw.rows {
      let source = raw.row(row)
      let target = joint.row(row)
      @inline(__always)
      func head(_ head: Int) -> Float { addBias(source + head * headDim, bias + head * headDim) }
      forEachSixteenHeads(head) { rotate(source, $0, $1, queryWeight, keyWeight, firstToken + row, target) }
      let value = 2 * width
      forEachBlock(width) { i, lanes in
        let v = load(source, value + i, lanes) + load(bias, value + i, lanes)
        store(v, source, value + i, lanes)
        store(v, target, value + i, lanes)
      }
    }
  }

  /// joint ← the result of `apply`, from a `raw` that already includes the bias.
  package func reapply(
    raw: Matrix, queryWeight: UnsafePointer<Float>, keyWeight: UnsafePointer<Float>, firstToken: Int, into joint: Matrix
  ) {
    for row in 0..<raw.rows {
      let source = raw.row(row)
      let target = joint.row(row)
      @inline(__always)
      func head(_ head: Int) -> Float { sumOfSquares(source + head * headDim) }
      forEachSixteenHeads(head) { rotate(source, $0, $1, queryWeight, keyWeight, firstToken + row, target) }
      forEachBlock(width) { i, lanes in store(load(source, 2 * width + i, lanes), target, 2 * width + i, lanes) }
    }
  }

  /// Backward: dRaw ← gradient of `raw` given dJoint; the weights' gradients are accumulated.
  ///
  /// With g = Rᵀ(dq) ∘ w: dx = (g − x̂·mean(g ∘ x̂))/√(mean(x²) + ε), dw += Rᵀ(dq) ∘ x̂.
  /// - Parameters:
  ///   - dJoint: (rows, 3·width); dRaw: (rows, ≥ 3·width), may be dJoint.
  package func backward(
    raw: Matrix, dJoint: Matrix, queryWeight: UnsafePointer<Float>, keyWeight: UnsafePointer<Float>, firstToken: Int,
    into dRaw: Matrix, dQueryWeight: UnsafeMutablePointer<Float>, dKeyWeight: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<raw.rows {
      let source = raw.row(row)
      let gradient = dJoint.row(row)
      let target = dRaw.row(row)
      let token = (firstToken + row) * headDim
      @inline(__always)
      func head(_ head: Int) -> Float { sumOfSquares(source + head * headDim) }
      forEachSixteenHeads(head) { group, inverseNorms in
        for head in group {
          let (isQuery, first) = (head < heads, head * headDim)
          unrotate(
            source + first, inverseNorms[unchecked: head &- group.lowerBound], gradient + first,
            isQuery ? queryWeight : keyWeight, token, target + first, isQuery ? dQueryWeight : dKeyWeight)
        }
      }
      forEachBlock(width) { i, lanes in store(load(gradient, 2 * width + i, lanes), target, 2 * width + i, lanes) }
    }
  }

  /// Computes Σx² of all heads of q, then of k, and takes the square roots of sixteen at a time.
  @inline(__always)
  private func forEachSixteenHeads(
    _ sum: (_ head: Int) -> Float, _ body: (_ heads: Range<Int>, _ inverseNorms: InlineArray<16, Float>) -> Void
  ) {
    var sums = InlineArray<16, Float>(repeating: 0)
    var first = 0
    while first < 2 * heads {
      let group = first..<min(first + vectorWidth, 2 * heads)
      for head in group { sums[unchecked: head &- first] = sum(head) }
      body(group, unsafeBitCast(inverseRootMeanSquare(unsafeBitCast(sums, to: Vector.self)), to: InlineArray<16, Float>.self))
      first += vectorWidth
    }
  }

  /// x ← x + bias; returns Σx².
  @inline(__always)
  private func addBias(_ x: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>) -> Float {
    var squares = Vector.zero
    forEachBlock(headDim) { i, lanes in
      let v = load(x, i, lanes) + load(bias, i, lanes)
      store(v, x, i, lanes)
      squares = v.multiplyAdd(v, squares)
    }
    return horizontalSum(squares)
  }

  @inline(__always)
  private func sumOfSquares(_ x: UnsafePointer<Float>) -> Float {
    var squares = Vector.zero
    forEachBlock(headDim) { i, lanes in
      let v = load(x, i, lanes)
      squares = v.multiplyAdd(v, squares)
    }
    return horizontalSum(squares)
  }

  /// 1/√(mean(x²) + ε) of sixteen heads.
  @inline(__always)
  private func inverseRootMeanSquare(_ squares: Vector) -> Vector {
    1 / (squares / Float(headDim) + Self.epsilon).squareRoot()
  }

  /// y ← R(x̂ ∘ w) for some heads of one row, numbered with q's heads before k's.
  @inline(__always)
  private func rotate(
    _ x: UnsafePointer<Float>, _ heads: Range<Int>, _ inverseNorms: InlineArray<16, Float>, _ queryWeight: UnsafePointer<Float>,
    _ keyWeight: UnsafePointer<Float>, _ token: Int, _ y: UnsafeMutablePointer<Float>
  ) {
    let (cosine, sine) = (rotary.cosine + token * headDim, rotary.signedSine + token * headDim)
    for head in heads {
      let weight = head < self.heads ? queryWeight : keyWeight
      let inverse = inverseNorms[unchecked: head &- heads.lowerBound]
      let (x, y) = (x + head * headDim, y + head * headDim)
      @inline(__always)
      func turn(_ i: Int, _ lanes: Int) {
        let v = load(x, i, lanes) * inverse * load(weight, i, lanes)
        let turned = swapPairs(v) * load(sine, i, lanes)
        store(v.multiplyAdd(load(cosine, i, lanes), turned), y, i, lanes)
      }
      forEachBlock(headDim, turn)
    }
  }

  /// Computes dx and accumulates dw for one head of one row.
  @inline(__always)
  private func unrotate(
    _ x: UnsafePointer<Float>, _ inverse: Float, _ dy: UnsafePointer<Float>, _ weight: UnsafePointer<Float>, _ token: Int,
    _ dx: UnsafeMutablePointer<Float>, _ dw: UnsafeMutablePointer<Float>
  ) {
    var weighted = Vector.zero
    @inline(__always)
    func turnBack(_ i: Int, _ lanes: Int) {
      let d = load(dy, i, lanes)
      let back = d.multiplyAdd(load(rotary.cosine, token + i, lanes), -swapPairs(d) * load(rotary.signedSine, token + i, lanes))
      let normalized = load(x, i, lanes) * inverse
      store(back.multiplyAdd(normalized, load(dw, i, lanes)), dw, i, lanes)
      let g = back * load(weight, i, lanes)
      weighted = g.multiplyAdd(normalized, weighted)
      store(g, dx, i, lanes)
    }
    forEachBlock(headDim, turnBack)
    let mean = horizontalSum(weighted) / Float(headDim)
    @inline(__always)
    func project(_ i: Int, _ lanes: Int) {
      let normalized = load(x, i, lanes) * inverse
      store((load(dx, i, lanes) - normalized * mean) * inverse, dx, i, lanes)
    }
    forEachBlock(headDim, project)
  }
}
