import Testing

@testable import MixCompare

@Suite struct NumberTextTests {
  @Test func aFixedNumberIsRoundedAndNeverMinusZero() {
    #expect(fixed(-1.0449, 2) == "-1.04")
    #expect(fixed(0.996, 2) == "1.00")
    #expect(fixed(-0.001, 2) == "0.00")
    #expect(fixed(12, 0) == "12")
    #expect(fixed(1e300, 2) == "1e+300")
  }

  @Test func aSmallNumberKeepsItsDigits() {
    #expect(significant(4e-6) == "4e-6")
    #expect(significant(-0.00071234) == "-7.123e-4")
    #expect(significant(.leastNonzeroMagnitude) == "4.941e-324")
    #expect(significant(0) == "0")
  }

  @Test func numbersOfUsualSizeAreDecimal() {
    #expect(significant(0.75) == "0.7500")
    #expect(significant(0.99996) == "1.000")
    #expect(significant(-12.5) == "-12.50")
    #expect(significant(123_456) == "123456")
    #expect(significant(9_999_999.7) == "1e7")
    #expect(significant(1.7e308) == "1.7e308")
  }

  @Test func whatIsNotFiniteIsADash() {
    for value in [Double.nan, -.nan, .infinity, -.infinity] {
      #expect(fixed(value, 2) == "–" && significant(value) == "–" && signed(value) == "–")
    }
  }

  @Test func aChangeHasItsSign() {
    #expect(signed(0.0125) == "+0.0125")
    #expect(signed(-4e-6) == "-4e-6")
    #expect(signed(0) == "+0")
  }
}
