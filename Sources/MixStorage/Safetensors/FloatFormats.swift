/// The upper half of a Float: its sign, its exponent and 7 bits of its fraction.
package enum BFloat16 {
  /// Rounds to the nearest, ties to even; a NaN stays a NaN.
  package static func narrow(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
    let roundUp = 0x7FFF + (bits >> 16 & 1)
    return UInt16(truncatingIfNeeded: (bits + roundUp) >> 16)
  }

  package static func widen(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
}

/// IEEE 754 binary16: 5 bits of exponent (bias 15), 10 bits of fraction. Read only.
package enum HalfFloat {
  package static func widen(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1F)
    let fraction = UInt32(bits & 0x03FF)
    switch exponent {
    case 0:  // Zero or subnormal: fraction · 2⁻²⁴, exact in a Float.
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: magnitude.bitPattern | sign)
    case 0x1F:  // Infinity or NaN.
      return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default:  // The bias grows from 15 to 127.
      return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
