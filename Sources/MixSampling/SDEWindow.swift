import MixBasics
import MixNumerics

/// The steps that are stochastic: `start ..< start + length`.
public struct SDEWindow: Equatable, Sendable {
  /// l, the first stochastic step, 0-based.
  public let start: Int
  /// w, the number of stochastic steps.
  public let length: Int

  /// Not checked before a plan uses it.
  public init(start: Int, length: Int) {
    self.start = start
    self.length = length
  }

  /// The stochastic steps.
  public var steps: Range<Int> { start..<start + max(length, 0) }
}

/// The movement of a window after its last place.
public enum WindowEnd: Int32, Equatable, Sendable, CaseIterable {
  /// Starts again at 0.
  case rollBack = 0
  /// Stays at the last place.
  case stay = 1
}

/// The steps that are trained when every step is stochastic.
public enum TrainedSubset: Equatable, Sendable {
  /// All of them.
  case full
  /// The first ⌊f·(T−1)⌋ steps, at least 1; f in (0, 1].
  case firstFraction(Double)
  /// ⌊f·(T−1)⌋ steps, at least 1, drawn in each iteration from the run's seed (DanceGRPO: f = 0.6).
  case randomSubset(Double)
}

/// How the window moves over the iterations (Mix §3.2 and its ablations).
public enum WindowMode: Equatable, Sendable {
  /// Stays at one place.
  case frozen(start: Int)
  /// start += stride after every `interval` iterations.
  case progressive(interval: Int, stride: Int, atEnd: WindowEnd)
  /// Stays at l for max(minimum, ⌊maximum·(1 − l/l_max) + minimum·l/l_max⌋) iterations.
  case linearDecay(minimumInterval: Int, maximumInterval: Int, stride: Int, atEnd: WindowEnd)
  /// Stays at l for ⌈initial·e^{−rate·max(0, l − threshold)}⌉ iterations (rate 0.1, threshold 13).
  case exponentialDecay(initialInterval: Int, rate: Double, threshold: Int, stride: Int, atEnd: WindowEnd)
  /// A start uniform on its range, drawn from the run's seed and the iteration; the same in every process.
  case random
  /// Every step but the last is stochastic (Flow-GRPO, DanceGRPO); the window length is not used.
  case all(TrainedSubset)
  /// Moves by `stride` when the reward's gain flattens (`AdaptiveWindowState`).
  case adaptive(AdaptiveInterval, stride: Int, atEnd: WindowEnd)
  /// The caller passes the window of each iteration.
  case given

  /// One step further every 25 iterations, back to 0 after the end (Mix §4.1).
  public static let standard = WindowMode.progressive(interval: 25, stride: 1, atEnd: .rollBack)
}
