/// Pairs of independent standard normals from pairs of uniform words (Box & Muller 1958), eight pairs at a time:
///
///     √(−2 ln((a+1)/2³²)) · (cos 2πb/2³², sin 2πb/2³²)
///
/// Uses only additions, multiplications, divisions and square roots in Float, which IEEE 754 defines to the bit, so every machine
/// computes the same values. They differ from the exact formula by less than 1e-6.
enum BoxMuller {
  /// - Parameters:
  ///   - words: eight words a, then eight words b
  ///   - values: set to the eight cosine halves, then the eight sine halves
  @inline(__always)
  static func transform(_ words: UnsafePointer<UInt32>, into values: UnsafeMutablePointer<Float>) {
    let (a, b) = (UnsafeRawPointer(words), UnsafeMutableRawPointer(values))
    let square = -2 * logarithmOfUniform(a.loadUnaligned(as: SIMD8<UInt32>.self))
    b.storeBytes(of: square, as: SIMD8<Float>.self)
    for lane in 0..<8 { values[lane] = values[lane].squareRoot() }
    let radius = b.loadUnaligned(as: SIMD8<Float>.self)
    let (cosine, sine) = circle(a.loadUnaligned(fromByteOffset: 32, as: SIMD8<UInt32>.self))
    b.storeBytes(of: radius * cosine, as: SIMD8<Float>.self)
    b.storeBytes(of: radius * sine, toByteOffset: 32, as: SIMD8<Float>.self)
  }

  /// ln((a+1)/2³²): the fraction is m·2^e with m in [√½, √2), and ln m = 2 artanh(s), s = (m−1)/(m+1), |s| < 0.172, by the series
  /// s + s³/3 + s⁵/5 + …; the first omitted term is below 4e-10.
  @inline(__always)
  private static func logarithmOfUniform(_ a: SIMD8<UInt32>) -> SIMD8<Float> {
    let fraction = float(high: a &>> 16, low: (a & 0xFFFF) &+ 1) * 0x1p-32
    // Subtracting the bits of √½ first makes the exponent field change at √½·2^k instead of 2^k.
    let bits = unsafeBitCast(fraction, to: SIMD8<Int32>.self) &- 0x3F35_04F3
    let exponent = bits &>> 23
    let mantissa = unsafeBitCast((bits & 0x007F_FFFF) &+ 0x3F35_04F3, to: SIMD8<Float>.self)
    let s = (mantissa - 1) / (mantissa + 1)
    let z = s * s
    var series = SIMD8<Float>(repeating: 2.0 / 9)
    series = series * z + 2.0 / 7
    series = series * z + 2.0 / 5
    series = series * z + 2.0 / 3
    let logarithm = s * (series * z) + 2 * s
    // ln 2 in two parts: the first has few enough bits for an exact product.
    return exactFloat(exponent) * 0.693_359_375 + (logarithm + exactFloat(exponent) * -2.121_944_4e-4)
  }

  /// cos and sin of 2πb/2³²: b is split exactly into the nearest number of quarter turns and a rest of at most an eighth of a
  /// turn. For the rest x, |x| ≤ π/4, Taylor series up to x¹⁰ and x⁹ are accurate to 2e-9.
  @inline(__always)
  private static func circle(_ b: SIMD8<UInt32>) -> (SIMD8<Float>, SIMD8<Float>) {
    let quarters = (b &+ 0x2000_0000) &>> 30
    let rest = b &- (quarters &<< 30)
    let high = unsafeBitCast(rest, to: SIMD8<Int32>.self) &>> 16
    let x = float(high: unsafeBitCast(high, to: SIMD8<UInt32>.self), low: rest & 0xFFFF) * 1.462_918_1e-9  // 2π/2³²
    let z = x * x
    var sine = SIMD8<Float>(repeating: 1.0 / 362_880)
    sine = sine * z - 1.0 / 5_040
    sine = sine * z + 1.0 / 120
    sine = sine * z - 1.0 / 6
    sine = x + x * (sine * z)
    var cosine = SIMD8<Float>(repeating: -1.0 / 3_628_800)
    cosine = cosine * z + 1.0 / 40_320
    cosine = cosine * z - 1.0 / 720
    cosine = cosine * z + 1.0 / 24
    cosine = cosine * z - 0.5
    cosine = 1 + cosine * z
    return turn(cosine, sine, quarters)
  }

  /// Turns by quarters: (c, s) → (−s, c) → (−c, −s) → (s, −c).
  @inline(__always)
  private static func turn(
    _ cosine: SIMD8<Float>, _ sine: SIMD8<Float>, _ quarters: SIMD8<UInt32>
  ) -> (SIMD8<Float>, SIMD8<Float>) {
    let isOdd = (quarters & 1) .== 1
    let first = unsafeBitCast(cosine.replacing(with: sine, where: isOdd), to: SIMD8<UInt32>.self)
    let second = unsafeBitCast(sine.replacing(with: cosine, where: isOdd), to: SIMD8<UInt32>.self)
    let firstSign = ((quarters &+ 1) & 2) &<< 30
    let secondSign = (quarters & 2) &<< 30
    return (
      unsafeBitCast(first ^ firstSign, to: SIMD8<Float>.self), unsafeBitCast(second ^ secondSign, to: SIMD8<Float>.self)
    )
  }

  /// high·2¹⁶ + low, rounded once.
  @inline(__always)
  private static func float(high: SIMD8<UInt32>, low: SIMD8<UInt32>) -> SIMD8<Float> {
    exactFloat(unsafeBitCast(high, to: SIMD8<Int32>.self)) * 65_536 + exactFloat(unsafeBitCast(low, to: SIMD8<Int32>.self))
  }

  /// Integers of at most 22 bits as floats: their bits go into the mantissa of 1.5·2²³.
  @inline(__always)
  private static func exactFloat(_ x: SIMD8<Int32>) -> SIMD8<Float> {
    unsafeBitCast(x &+ 0x4B40_0000, to: SIMD8<Float>.self) - 12_582_912
  }
}
