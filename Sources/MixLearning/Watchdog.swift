import CMixGRPO
import MixBasics
import MixSettings

/// What is to be done when a model learns to please its rewards instead of getting better. Raw values are stable.
public enum WatchdogAction: Int32, Equatable, Sendable, CaseIterable {
  /// Nothing is watched.
  case off = 0
  /// Verdicts of `warn`, and training may go on.
  case warn = 1
  /// Verdicts of `stop`.
  case stop = 2
}

/// What an evaluation says about going on. Raw values are stable.
public enum WatchdogVerdict: Int32, Equatable, Sendable, CaseIterable {
  /// Nothing suspicious, or not for long enough.
  case goOn = 0
  /// The rewards are being hacked.
  case warn = 1
  /// The rewards are being hacked, and training is to end.
  case stop = 2
}

/// Notices reward hacking: the trained rewards rise while the held-out ones fall.
///
/// A pure state machine over evaluations. It remembers the evaluation at which the held-out level was highest. An evaluation is
/// suspicious when the held-out level is more than `minimumDelta` below that, and the trained level more than `minimumDelta`
/// above where it was then; `patience` suspicious evaluations in a row bark, and so does every further one.
public struct Watchdog: Equatable, Sendable {
  /// Default: off.
  public var action = WatchdogAction.off
  /// Suspicious evaluations in a row before it barks, 1 … 1000000; default 3.
  public var patience = 3
  /// The change that counts, in standard deviations of the rewards at the first evaluation, 0 … 1000; default 0.
  public var minimumDelta = 0.0

  /// Checked by the record that it is for.
  public init(action: WatchdogAction = .off, patience: Int = 3, minimumDelta: Double = 0) {
    (self.action, self.patience, self.minimumDelta) = (action, patience, minimumDelta)
  }

  /// What is remembered from one evaluation to the next.
  public struct State: Equatable, Sendable {
    /// The evaluation with the highest held-out level; -1 before the first.
    public var peakIteration = -1
    /// The held-out level then.
    public var heldOutPeak = 0.0
    /// The trained level then.
    public var trainedAtPeak = 0.0
    /// Suspicious evaluations in a row.
    public var worsening = 0

    /// Before the first evaluation.
    public init() {}
  }

  /// The state after an evaluation; a level that is not finite says nothing and leaves it as it is.
  /// - Parameters:
  ///   - state: after the evaluation before.
  ///   - iteration: of this evaluation.
  ///   - trained: mean over the trained rewards, each counted from its first evaluation in standard deviations of then.
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

  /// What a state means: to go on until `patience` suspicious evaluations stand in a row.
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
