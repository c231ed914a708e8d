import Glibc
import Testing

@testable import MixBasics

struct DefaultArithmeticTests {
  private struct Stop: Error, Equatable {}

  /// 1 + 2⁻³⁰ is 1 to nearest and the next float upwards.
  @inline(never)
  private func sum(_ a: Float, _ b: Float) -> Float { a + b }

  @Test func roundsToNearestInsideAndAsBeforeOutside() {
    fesetround(Int32(FE_UPWARD))
    defer { fesetround(Int32(FE_TONEAREST)) }
    let small = Float(sign: .plus, exponent: -30, significand: 1)
    let inside = DefaultArithmetic.run { (fegetround(), sum(1, small)) }
    let mode = fegetround()
    #expect(inside.0 == Int32(FE_TONEAREST) && inside.1 == 1)
    #expect(mode == Int32(FE_UPWARD))
  }

  @Test func restoresTheModeWhenTheBodyThrows() {
    fesetround(Int32(FE_DOWNWARD))
    defer { fesetround(Int32(FE_TONEAREST)) }
    #expect(throws: Stop()) { try DefaultArithmetic.run { () throws(Stop) in throw Stop() } }
    #expect(fegetround() == Int32(FE_DOWNWARD))
  }

  @Test func nestedRunsRestoreEachItsOwn() {
    fesetround(Int32(FE_TOWARDZERO))
    defer { fesetround(Int32(FE_TONEAREST)) }
    let modes = DefaultArithmetic.run { (DefaultArithmetic.run { fegetround() }, fegetround()) }
    #expect(modes == (Int32(FE_TONEAREST), Int32(FE_TONEAREST)))
    #expect(fegetround() == Int32(FE_TOWARDZERO))
  }
}
