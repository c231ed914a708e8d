import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The learning rate of each optimizer step, as a share of the configured one.
public struct LearningRateSchedule: Equatable, Sendable {
  /// The shape after the warm-up.
  public enum Shape: Equatable, Sendable {
    /// The configured learning rate in every step.
    case constant
    /// Falls as half a cosine from 1 after the warm-up to `minimumFraction` at step `totalSteps`, and stays there.
    case cosine(totalSteps: Int, minimumFraction: Double)
  }

  /// Default: constant.
  public var shape = Shape.constant
  /// Steps of linear rise; step n (from 0) of them has share (n+1)/warmupSteps. Default 0.
  public var warmupSteps = 0

  /// Constant, without warm-up.
  public init() {}

  /// A shape with a warm-up before it.
  public init(_ shape: Shape, warmupSteps: Int = 0) {
    self.shape = shape
    self.warmupSteps = warmupSteps
  }

  /// - Parameter step: optimizer steps already done
  public func fraction(step: Int) -> Double {
    if step < warmupSteps { return Double(max(step, 0) + 1) / Double(warmupSteps) }
    guard case .cosine(let totalSteps, let minimum) = shape else { return 1 }
    guard step < totalSteps else { return minimum }
    let progress = Double(step - warmupSteps) / Double(totalSteps - warmupSteps)
    return minimum + (1 - minimum) * (1 + cos(.pi * progress)) / 2
  }

  /// Conditions on more than one value.
  func checkRules(_ validation: inout Validation) {
    guard case .cosine(let totalSteps, _) = shape else { return }
    validation.require(
      totalSteps > warmupSteps, "total_steps", expected: "more than warmup_steps, \(warmupSteps)", got: totalSteps)
  }
}
