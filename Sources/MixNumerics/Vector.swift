/// Sixteen floats: one AVX-512 register, two AVX registers or four NEON registers. The number is the same on every processor, so
/// that sums over lanes always have the same order.
typealias Vector = SIMD16<Float>

/// Lanes of a `Vector`.
let vectorWidth = 16

/// Visits 0..<count in blocks of sixteen; the last block may have fewer lanes.
@inline(__always)
func forEachBlock(_ count: Int, _ body: (_ offset: Int, _ lanes: Int) -> Void) {
  let whole = forEachWholeBlock(count) { body($0, vectorWidth) }
  if whole < count { body(whole, count &- whole) }
}

/// The same for a long body that only changes memory: the last block is in a function of its own, so that the loop is inlined.
@inline(__always)
func forEachLongBlock(_ count: Int, _ body: (_ offset: Int, _ lanes: Int) -> Void) {
  let whole = forEachWholeBlock(count) { body($0, vectorWidth) }
  if whole < count { lastBlock(whole, count &- whole, body) }
}

/// Where the whole blocks end.
@inline(__always)
private func forEachWholeBlock(_ count: Int, _ body: (_ offset: Int) -> Void) -> Int {
  var offset = 0
  while offset &+ vectorWidth <= count {
    body(offset)
    offset &+= vectorWidth
  }
  return offset
}

@inline(never)
private func lastBlock(_ offset: Int, _ lanes: Int, _ body: (_ offset: Int, _ lanes: Int) -> Void) { body(offset, lanes) }

@inline(__always)
func load(_ base: UnsafePointer<Float>, _ offset: Int, _ lanes: Int) -> Vector {
  lanes == vectorWidth ? UnsafeRawPointer(base + offset).loadUnaligned(as: Vector.self) : loadFew(base + offset, lanes)
}

@inline(__always)
func store(_ vector: Vector, _ base: UnsafeMutablePointer<Float>, _ offset: Int, _ lanes: Int) {
  if lanes == vectorWidth {
    UnsafeMutableRawPointer(base + offset).storeBytes(of: vector, as: Vector.self)
  } else {
    storeFew(vector, base + offset, lanes)
  }
}

// Not inlined, so that the loops over whole blocks stay small enough to be inlined.

@inline(never)
private func loadFew(_ base: UnsafePointer<Float>, _ lanes: Int) -> Vector {
  var vector = Vector.zero
  let eight = lanes & 8
  if eight > 0 { vector.lowHalf = UnsafeRawPointer(base).loadUnaligned(as: SIMD8<Float>.self) }
  for lane in eight..<lanes { vector[lane] = base[lane] }
  return vector
}

@inline(never)
private func storeFew(_ vector: Vector, _ base: UnsafeMutablePointer<Float>, _ lanes: Int) {
  let eight = lanes & 8
  if eight > 0 { UnsafeMutableRawPointer(base).storeBytes(of: vector.lowHalf, as: SIMD8<Float>.self) }
  for lane in eight..<lanes { base[lane] = vector[lane] }
}

/// The first lanes, followed by zeros.
@inline(__always)
func first(_ lanes: Int, of vector: Vector) -> Vector { lanes == vectorWidth ? vector : firstFew(lanes, of: vector) }

@inline(never)
private func firstFew(_ lanes: Int, of vector: Vector) -> Vector {
  var vector = vector
  for lane in lanes..<vectorWidth { vector[lane] = 0 }
  return vector
}

@inline(__always)
func horizontalSum(_ v: Vector) -> Float {
  let eight = v.lowHalf + v.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}

@inline(__always)
func horizontalMaximum(_ v: Vector) -> Float {
  var eight = v.lowHalf
  eight.replace(with: v.highHalf, where: v.highHalf .> eight)
  var four = eight.lowHalf
  four.replace(with: eight.highHalf, where: eight.highHalf .> four)
  var two = four.lowHalf
  two.replace(with: four.highHalf, where: four.highHalf .> two)
  return two[0] > two[1] ? two[0] : two[1]
}

/// log₂ e: e^x = 2^(x·log₂ e).
let log2OfE: Float = 1.442_695_04

/// 2^t within 2 ulp for −126 ≤ t ≤ 127, clamped outside; NaN stays NaN.
///
/// t = n + f with |f| ≤ ½, which is exact, 2^f by its minimax polynomial of degree 6 (relative error 2·10⁻⁹), then n goes into
/// the exponent. Callers multiply an existing factor by log₂ e.
@inline(__always)
func powerOfTwo(_ t: Vector) -> Vector {
  var t = t
  t.replace(with: Vector(repeating: -126), where: t .< -126)
  t.replace(with: Vector(repeating: 127), where: t .> 127)
  let magic = Vector(repeating: 12_582_912)  // 1.5·2²³: adding it rounds to an integer
  let shifted = t + magic
  let f = t - (shifted - magic)
  var p = Vector(repeating: 1.535_336_2e-4)
  p = p.multiplyAdd(f, Vector(repeating: 1.339_887_4e-3))
  p = p.multiplyAdd(f, Vector(repeating: 9.618_437e-3))
  p = p.multiplyAdd(f, Vector(repeating: 5.550_332_4e-2))
  p = p.multiplyAdd(f, Vector(repeating: 0.240_226_48))
  p = p.multiplyAdd(f, Vector(repeating: 0.693_147_2))
  p = p.multiplyAdd(f, Vector(repeating: 1))
  let exponent = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23
  return unsafeBitCast(unsafeBitCast(p, to: SIMD16<Int32>.self) &+ exponent, to: Vector.self)
}

extension Vector {
  /// self·factor + addend in one rounding.
  @inline(__always)
  func multiplyAdd(_ factor: Self, _ addend: Self) -> Self { addend.addingProduct(self, factor) }
}
