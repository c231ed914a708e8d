/// Eight floats: one AVX register, two NEON ones.
typealias Vector = SIMD8<Float>

/// Visits 0..<count in blocks of eight; the last block may have fewer lanes.
@inline(__always)
func forEachBlock(_ count: Int, _ body: (_ offset: Int, _ lanes: Int) -> Void) {
  var offset = 0
  while offset &+ 8 <= count {
    body(offset, 8)
    offset &+= 8
  }
  if offset < count { body(offset, count &- offset) }
}

@inline(__always)
func load(_ base: UnsafePointer<Float>, _ offset: Int, _ lanes: Int) -> Vector {
  if lanes == 8 { return UnsafeRawPointer(base + offset).loadUnaligned(as: Vector.self) }
  var vector = Vector.zero
  for lane in 0..<lanes { vector[lane] = base[offset &+ lane] }
  return vector
}

@inline(__always)
func store(_ vector: Vector, _ base: UnsafeMutablePointer<Float>, _ offset: Int, _ lanes: Int) {
  if lanes == 8 {
    UnsafeMutableRawPointer(base + offset).storeBytes(of: vector, as: Vector.self)
  } else {
    for lane in 0..<lanes { base[offset &+ lane] = vector[lane] }
  }
}

@inline(__always)
func horizontalSum(_ v: Vector) -> Float {
  let four = v.lowHalf + v.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}

@inline(__always)
func horizontalMaximum(_ v: Vector) -> Float {
  var four = v.lowHalf
  four.replace(with: v.highHalf, where: v.highHalf .> four)
  var two = four.lowHalf
  two.replace(with: four.highHalf, where: four.highHalf .> two)
  return two[0] > two[1] ? two[0] : two[1]
}

/// e^x within 2 ulp for −87 ≤ x ≤ 88, clamped outside; NaN stays NaN.
///
/// x = n·ln 2 + r with |r| ≤ ½ ln 2, e^r by its Taylor-like minimax polynomial of degree 6, then n goes into the exponent.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  var y = x
  y.replace(with: Vector(repeating: -87), where: x .< -87)
  y.replace(with: Vector(repeating: 88), where: x .> 88)
  let magic = Vector(repeating: 12_582_912)  // 1.5·2²³: adding it rounds to an integer
  let shifted = Vector(repeating: 1.442_695_04).multiplyAdd(y, magic)
  let n = shifted - magic
  var r = Vector(repeating: -0.693_359_375).multiplyAdd(n, y)
  r = Vector(repeating: 2.121_944_4e-4).multiplyAdd(n, r)
  var p = Vector(repeating: 1.987_569_15e-4)
  p = p.multiplyAdd(r, Vector(repeating: 1.398_199_95e-3))
  p = p.multiplyAdd(r, Vector(repeating: 8.333_451_9e-3))
  p = p.multiplyAdd(r, Vector(repeating: 4.166_579_6e-2))
  p = p.multiplyAdd(r, Vector(repeating: 1.666_666_55e-1))
  p = p.multiplyAdd(r, Vector(repeating: 0.5))
  p = p.multiplyAdd(r * r, r) + 1
  let exponent = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &<< 23
  return unsafeBitCast(unsafeBitCast(p, to: SIMD8<Int32>.self) &+ exponent, to: Vector.self)
}

extension SIMD8<Float> {
  /// self·factor + addend in one rounding.
  @inline(__always)
  func multiplyAdd(_ factor: Self, _ addend: Self) -> Self { addend.addingProduct(self, factor) }
}
