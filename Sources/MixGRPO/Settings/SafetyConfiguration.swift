import MixBasics

/// What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a velocity
/// that changes too much. Nothing unsound is ever applied. Raw values are stable.
public enum FaultPolicy: Int32, Equatable, Sendable, CaseIterable {
  /// The update throws, with everything as before it.
  case stop = 0
  /// The optimizer step of a part that is not finite is left out and the next part goes on; a velocity that changes too much
  /// undoes the whole update. The iteration counts as done.
  case skip = 1
  /// The whole update is undone, the learning rate of all steps to come shrinks, and the next iteration follows.
  case rollBack = 2
}

/// How a trainer is kept from ruining its model.
public struct SafetyConfiguration: Equatable, Sendable {
  /// Default: stop.
  public var faultPolicy = FaultPolicy.stop
  /// Most that one iteration may change the velocity of its first trained latent: the root mean square of the difference over
  /// that of the velocity, which counts as 1 at least, the noise's standard deviation. 0…1e6, 0 for no limit; default 1.
  ///
  /// It finds a learning rate that is far too large, at the price of one more model call, and not one that ruins a model little
  /// by little.
  public var maxVelocityChange = 1.0
  /// What the learning rate is multiplied by at each roll-back; in (0, 1], default 0.5.
  public var rollBackRateFactor = 0.5

  /// Faults stop the update; the velocity may change by its own size, and roll-backs halve the learning rate.
  public init() {}
}
