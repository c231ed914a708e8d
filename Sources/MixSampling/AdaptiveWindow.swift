import MixBasics

/// Settings of a window that moves when the reward stops rising.
public struct AdaptiveInterval: Equatable, Sendable {
  /// Fewest iterations at a place, 1 … maximum; default 1. The window never moves before `trend` iterations.
  public var minimum = 1
  /// Most iterations at a place; default 25.
  public var maximum = 25
  /// k, the number of iterations over which the trend is estimated, 2 … 1000000; default 10.
  public var trend = 10
  /// The window moves when the reward gains less than this share of its standard deviation per iteration; default 0.01,
  /// −1000 … 1000.
  public var minimumGain = 0.01

  /// Default: 1…25 iterations at a place, with the trend over 10.
  public init(minimum: Int = 1, maximum: Int = 25, trend: Int = 10, minimumGain: Double = 0.01) {
    (self.minimum, self.maximum, self.trend, self.minimumGain) = (minimum, maximum, trend, minimumGain)
  }
}

/// State of a window that moves when the reward's gain per iteration flattens.
///
/// A pure state machine: `WindowSchedule.advance` takes the state and an iteration's reward and returns the next state. A line
/// is fitted by least squares to the rewards r of the iterations at this place; an iteration of age a has weight ρᵃ, ρ = 1 − 1/k:
///
///     gain = (Σw·a · Σw·r − Σw · Σw·a·r) / (Σw · Σw·a² − (Σw·a)²)     per iteration
///
/// The window moves when gain < `minimumGain` · Σw·s / Σw, where s is the rewards' standard deviation, but not before
/// max(`minimum`, `trend`) iterations, and always after `maximum` iterations.
public struct AdaptiveWindowState: Equatable, Sendable {
  /// l
  public var start = 0
  /// Iterations at this place that had a reward.
  public var iterations = 0
  /// The first reward at this place; r in the sums is the difference from it.
  public var firstReward = 0.0
  /// The sums from which the gain is computed.
  public var sums = Sums()

  /// Sums over the iterations at this place, w = ρᵃ.
  public struct Sums: Equatable, Sendable {
    /// Σw
    public var weight = 0.0
    /// Σw·a
    public var age = 0.0
    /// Σw·a²
    public var squaredAge = 0.0
    /// Σw·r
    public var reward = 0.0
    /// Σw·a·r
    public var agedReward = 0.0
    /// Σw·s
    public var deviation = 0.0

    /// Before the first iteration at a place.
    public init() {}
  }

  /// At the first place, before the first iteration.
  public init() {}

  /// The reward's gain per iteration at this place; NaN before two iterations.
  public var gain: Double {
    let spread = sums.weight * sums.squaredAge - sums.age * sums.age
    guard iterations >= 2, spread > 0 else { return .nan }
    return (sums.age * sums.reward - sums.weight * sums.agedReward) / spread
  }
}

// MARK: - As text, for checkpoints

extension AdaptiveWindowState {
  private static var numbers: [WritableKeyPath<Self, Double>] {
    [
      \.firstReward, \.sums.weight, \.sums.age, \.sums.squaredAge, \.sums.reward, \.sums.agedReward, \.sums.deviation,
    ]
  }

  /// Start, iterations and the sums, separated by spaces, at full precision.
  package var text: String {
    "\(start) \(iterations) " + Self.numbers.map { "\(self[keyPath: $0])" }.joined(separator: " ")
  }

  /// Nil for text that is not a state.
  package init?(text: String) {
    self.init()
    let words = text.split(separator: " ")
    guard words.count == 2 + Self.numbers.count, let start = Int(words[0]), let iterations = Int(words[1]) else { return nil }
    (self.start, self.iterations) = (start, iterations)
    for (number, word) in zip(Self.numbers, words.dropFirst(2)) {
      guard let value = Double(word) else { return nil }
      self[keyPath: number] = value
    }
  }
}

// MARK: - Moving

extension AdaptiveWindowState.Sums {
  /// Makes every iteration one older: its weight is multiplied by `factor`.
  fileprivate func aged(by factor: Double) -> Self {
    var sums = self
    sums.squaredAge = factor * (squaredAge + 2 * age + weight)
    sums.age = factor * (age + weight)
    sums.agedReward = factor * (agedReward + reward)
    sums.weight = factor * weight
    sums.reward = factor * reward
    sums.deviation = factor * deviation
    return sums
  }

  fileprivate mutating func add(_ reward: Double, _ deviation: Double) {
    weight += 1
    self.reward += reward
    self.deviation += deviation
  }

  fileprivate var isFinite: Bool {
    [weight, age, squaredAge, reward, agedReward, deviation].allSatisfy(\.isFinite)
  }
}

extension WindowSchedule {
  /// The adaptive window's state after an iteration. Iterations without a usable signal leave the state unchanged: the reward is
  /// missing (NaN) or was the same for all samples.
  /// - Parameters:
  ///   - state: after the iteration before.
  ///   - rewardMean: over the iteration's samples.
  ///   - rewardDeviation: their standard deviation.
  /// - Throws: `invalidArgument` for another window mode or an invalid state.
  public func advance(
    _ state: AdaptiveWindowState, rewardMean: Double, rewardDeviation: Double
  ) throws(MixGRPOError) -> AdaptiveWindowState {
    guard case .adaptive(let interval, let stride, let atEnd) = mode else {
      throw .invalid("window_mode", expected: "adaptive", got: mode)
    }
    try check(state)
    guard rewardMean.isFinite, rewardDeviation.isFinite, rewardDeviation > 0 else { return state }
    var next = state
    if state.iterations == 0 { (next.firstReward, next.sums) = (rewardMean, AdaptiveWindowState.Sums()) }
    next.sums = next.sums.aged(by: 1 - 1 / Double(interval.trend))
    next.sums.add(rewardMean - next.firstReward, rewardDeviation)
    guard next.sums.isFinite else { return state }
    next.iterations += 1
    if isDone(next, interval) {
      next = AdaptiveWindowState()
      next.start = start(after: state.start, stride, atEnd)
    }
    return next
  }

  private func isDone(_ state: AdaptiveWindowState, _ interval: AdaptiveInterval) -> Bool {
    if state.iterations >= interval.maximum { return true }
    guard state.iterations >= max(interval.minimum, interval.trend) else { return false }
    return state.gain < interval.minimumGain * state.sums.deviation / state.sums.weight
  }

  /// The same places as those of a progressive window.
  private func start(after start: Int, _ stride: Int, _ atEnd: WindowEnd) -> Int {
    if start + stride <= lastStart { return start + stride }
    return atEnd == .rollBack ? 0 : lastStart
  }

  /// - Throws: `invalidArgument` naming each field of an invalid state.
  package func check(_ state: AdaptiveWindowState) throws(MixGRPOError) {
    var validation = Validation()
    validation.require(
      (0...max(0, lastStart)).contains(state.start), "window_start", expected: "0…\(max(0, lastStart))", got: state.start)
    validation.require(
      (0..<1_000_000).contains(state.iterations), "iterations", expected: "0…999999", got: state.iterations)
    validation.require(
      state.firstReward.isFinite && state.sums.isFinite, "sums", expected: "finite values", got: state.sums)
    try validation.throwIfAny()
  }
}
