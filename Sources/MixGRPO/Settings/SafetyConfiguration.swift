import MixBasics

/// A trainer's reaction to a fault in an update: a loss, gradient or weight that is or would be NaN or infinite, or a velocity
/// that changes too much. A faulty step is never applied. Raw values are stable.
public enum FaultPolicy: Int32, Equatable, Sendable, CaseIterable {
  /// The update throws; the state is as before it.
  case stop = 0
  /// An optimizer step that is not finite is skipped, and the update continues with the next minibatch. A velocity that changes
  /// too much rolls back the whole update. The iteration counts as done.
  case skip = 1
  /// The whole update is rolled back, the learning rate of all later steps is reduced, and the next iteration follows.
  case rollBack = 2
}

/// Limits that keep a trainer from damaging its model.
public struct SafetyConfiguration: Equatable, Sendable {
  /// Default: stop.
  public var faultPolicy = FaultPolicy.stop
  /// Maximum change of the velocity of the first trained latent in one iteration: the root mean square of the difference
  /// relative to that of the velocity, but at least relative to 1, the standard deviation of noise. 0…1e6, 0 for no limit;
  /// default 1.
  ///
  /// Detects a learning rate that is far too large, at the cost of one more model call. It does not detect a slow decline over
  /// many iterations.
  public var maxVelocityChange = 1.0
  /// Factor of the learning rate at each roll-back; in (0, 1], default 0.5.
  public var rollBackRateFactor = 0.5

  /// Faults stop the update; the velocity may change by its own size, and roll-backs halve the learning rate.
  public init() {}
}
