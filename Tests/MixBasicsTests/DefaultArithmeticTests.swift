import Glibc
import Testing

@testable import MixBasics

struct DefaultArithmeticTests {
  private struct Stop: Error, Equatable {}

  /// 1 + 2⁻³⁰ is 1 to nearest and the next float upwards.
  @inline(never)
  private func sum(_ a: Float, _ b: Float) -> Float { a + b }

  @Test func roundsToNearestInsideAndAsBeforeOutside() {
    fesetround(FE_UPWARD)
    defer { fesetround(FE_TONEAREST) }
    let small = Float(sign: .plus, exponent: -30, significand: 1)
    let inside = DefaultArithmetic.run { (fegetround(), sum(1, small)) }
    let mode = fegetround()
    #expect(inside.0 == FE_TONEAREST && inside.1 == 1)
    #expect(mode == FE_UPWARD)
  }

  @Test func restoresTheModeWhenTheBodyThrows() {
    fesetround(FE_DOWNWARD)
    defer { fesetround(FE_TONEAREST) }
    #expect(throws: Stop()) { try DefaultArithmetic.run { () throws(Stop) in throw Stop() } }
    #expect(fegetround() == FE_DOWNWARD)
  }

  @Test func nestedRunsRestoreEachItsOwn() {
    fesetround(FE_TOWARDZERO)
    defer { fesetround(FE_TONEAREST) }
    let modes = DefaultArithmetic.run { (DefaultArithmetic.run { fegetround() }, fegetround()) }
    #expect(modes == (FE_TONEAREST, FE_TONEAREST))
    #expect(fegetround() == FE_TOWARDZERO)
  }
}
