import CMixGRPO
import MixBasics
import MixSettings

/// The reaction to reward hacking. Raw values are stable.
public enum WatchdogAction: Int32, Equatable, Sendable, CaseIterable {
  /// Off.
  case off = 0
  /// Verdicts of `warn`; training may continue.
  case warn = 1
  /// Verdicts of `stop`.
  case stop = 2
}

/// The watchdog's verdict after an evaluation. Raw values are stable.
public enum WatchdogVerdict: Int32, Equatable, Sendable, CaseIterable {
  /// Nothing suspicious, or not for long enough.
  case goOn = 0
  /// The rewards are being hacked.
  case warn = 1
  /// The rewards are being hacked; training should stop.
  case stop = 2
}

/// Detects reward hacking: the trained rewards rise while the held-out rewards fall.
///
/// A pure state machine over evaluations. It remembers the evaluation with the highest held-out level. A later evaluation is
/// suspicious when its held-out level is more than `minimumDelta` lower and its trained level more than `minimumDelta` higher than
/// at that evaluation. The watchdog triggers after `patience` consecutive suspicious evaluations, and at every further one.
public struct Watchdog: Equatable, Sendable {
  /// Default: off.
  public var action = WatchdogAction.off
  /// Consecutive suspicious evaluations before the watchdog triggers, 1 … 1000000; default 3.
  public var patience = 3
  /// The smallest change that matters, in standard deviations of the rewards at the first evaluation, 0 … 1000; default 0.
  public var minimumDelta = 0.0

  /// Checked by `EvaluationRecord`.
  public init(action: WatchdogAction = .off, patience: Int = 3, minimumDelta: Double = 0) {
    (self.action, self.patience, self.minimumDelta) = (action, patience, minimumDelta)
  }

  /// The state between evaluations.
  public struct State: Equatable, Sendable {
    /// The evaluation with the highest held-out level; -1 before the first.
    public var peakIteration = -1
    /// The held-out level at that evaluation.
    public var heldOutPeak = 0.0
    /// The trained level at that evaluation.
    public var trainedAtPeak = 0.0
    /// Consecutive suspicious evaluations.
    public var worsening = 0

    /// Before the first evaluation.
    public init() {}
  }

  /// The state after an evaluation; a level that is not finite leaves it unchanged.
  /// - Parameters:
  ///   - state: after the previous evaluation.
  ///   - iteration: the iteration of this evaluation.
  ///   - trained: mean over the trained rewards, each relative to its first evaluation, in units of its first standard deviation.
  ///   - heldOut: the same over the held-out rewards.
  public func advance(_ state: State, iteration: Int, trained: Double, heldOut: Double) -> State {
    guard trained.isFinite, heldOut.isFinite else { return state }
    var next = state
    if state.peakIteration < 0 || heldOut >= state.heldOutPeak {
      (next.peakIteration, next.heldOutPeak, next.trainedAtPeak) = (iteration, heldOut, trained)
      next.worsening = 0
    } else {
      let falls = heldOut < state.heldOutPeak - minimumDelta
      let rises = trained > state.trainedAtPeak + minimumDelta
      next.worsening = falls && rises ? min(state.worsening, 1_000_000) + 1 : 0
    }
    return next
  }

  /// The verdict of a state: `goOn` before `patience` consecutive suspicious evaluations.
  public func verdict(_ state: State) -> WatchdogVerdict {
    guard state.worsening >= patience else { return .goOn }
    switch action {
    case .off: return .goOn
    case .warn: return .warn
    case .stop: return .stop
    }
  }

  func validate(_ validation: inout Validation) {
    var record = mixgrpo_evaluation_config.standard
    (record.watchdog_patience, record.watchdog_minimum_delta) = (Int32(clamping: patience), minimumDelta)
    record.check(&validation)
  }
}
