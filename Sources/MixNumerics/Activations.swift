/// GELU in its tanh form, GELU(x) = x·σ(2u) with u = √(2/π)·(x + 0.044715·x³), and SiLU(x) = x·σ(x).
package enum Activation {
  private static let twiceRoot2OverPi: Float = 1.595_769_1
  private static let cubic: Float = 0.044_715

  /// hidden ← hidden + bias and activated ← GELU(hidden), row by row; hidden (rows, width).
  package static func biasGELU(_ hidden: Matrix, bias: UnsafePointer<Float>, into activated: Matrix) {
    for row in 0..<hidden.rows {
      let h = hidden.row(row)
      let y = activated.row(row)
      forEachLongBlock(hidden.columns) { i, lanes in
        let x = load(h, i, lanes) + load(bias, i, lanes)
        store(x, h, i, lanes)
        store(x * gate(x), y, i, lanes)
      }
    }
  }

  /// activated ← GELU(hidden) and gradient ← gradient·GELU′(hidden), from the saved hidden rows.
  /// - Parameter firstRow: the row of `activated` that belongs to the first row of `hidden`.
  package static func geluBackward(hidden: Matrix, activated: PackedMatrix, firstRow: Int, gradient: Matrix) {
    for row in 0..<hidden.rows {
      let h = hidden.row(row)
      let dy = gradient.row(row)
      forEachLongBlock(hidden.columns) { i, lanes in
        let x = load(h, i, lanes)
        let s = gate(x)
        let gelu = x * s
        let slope = Vector(repeating: 3 * cubic * twiceRoot2OverPi).multiplyAdd(x * x, Vector(repeating: twiceRoot2OverPi))
        let derivative = (gelu - gelu * s).multiplyAdd(slope, s)
        activated.put(first(lanes, of: gelu), firstRow &+ row, i)
        store(load(dy, i, lanes) * derivative, dy, i, lanes)
      }
    }
  }

  /// y ← SiLU(x) for `count` values; x and y may be the same.
  package static func silu(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int) {
    forEachBlock(count) { i, lanes in
      let v = load(x, i, lanes)
      store(v * sigmoid(v), y, i, lanes)
    }
  }

  /// dx ← dy·SiLU′(x), SiLU′(x) = σ(x)·(1 + x·(1 − σ(x))); dy and dx may be the same.
  package static func siluBackward(
    _ x: UnsafePointer<Float>, dy: UnsafePointer<Float>, into dx: UnsafeMutablePointer<Float>, count: Int
  ) {
    forEachBlock(count) { i, lanes in
      let v = load(x, i, lanes)
      let s = sigmoid(v)
      store(load(dy, i, lanes) * s * (v * (1 - s)).multiplyAdd(Vector(repeating: 1), Vector(repeating: 1)), dx, i, lanes)
    }
  }

  @inline(__always)
  private static func sigmoid(_ x: Vector) -> Vector { 1 / (1 + powerOfTwo(x * -log2OfE)) }

  /// σ(2u): the factor by which GELU multiplies its argument.
  @inline(__always)
  private static func gate(_ x: Vector) -> Vector {
    let factor = -log2OfE * twiceRoot2OverPi
    return 1 / (1 + powerOfTwo(x * Vector(repeating: cubic * factor).multiplyAdd(x * x, Vector(repeating: factor))))
  }
}
