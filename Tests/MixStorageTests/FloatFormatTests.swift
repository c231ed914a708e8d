import Testing

@testable import MixStorage

@Suite struct FloatFormatTests {
  @Test func everyHalfIsItsFormula() {
    for bits in UInt16.min ... .max {
      let sign: Float = bits >> 15 == 0 ? 1 : -1
      let exponent = Int(bits >> 10 & 31)
      let fraction = Float(bits & 1023)
      let got = HalfFloat.widen(bits)
      if exponent == 31 {
        #expect(fraction == 0 ? got == sign * .infinity : got.isNaN)
      } else {
        let significand = exponent == 0 ? fraction / 1024 : 1 + fraction / 1024
        let wanted = Float(sign: .plus, exponent: max(exponent, 1) - 15, significand: sign * significand)
        #expect(got == wanted && got.sign == (sign < 0 ? .minus : .plus))
      }
    }
  }

  @Test func everyBrainFloatSurvives() {
    for bits in UInt16.min ... .max {
      let value = BFloat16.widen(bits)
      #expect(value.isNaN ? BFloat16.widen(BFloat16.narrow(value)).isNaN : BFloat16.narrow(value) == bits)
    }
  }

  @Test(
    arguments: [
      (0x3F80_7FFF, 0x3F80), (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82), (0xBF81_8000, 0xBF82),
      (0x7F7F_FFFF, 0x7F80), (0x0000_8000, 0x0000), (0x0001_8000, 0x0002), (0x7F80_0000, 0x7F80),
    ] as [(UInt32, UInt16)])
  func narrowingRoundsToNearestTiesToEven(bits: UInt32, wanted: UInt16) {
    #expect(BFloat16.narrow(Float(bitPattern: bits)) == wanted)
  }

  @Test func aNaNWithLowBitsOnlyStaysOne() {
    #expect(BFloat16.widen(BFloat16.narrow(Float(bitPattern: 0x7F80_0001))).isNaN)
  }
}
