import MixBasics
import MixNumerics
import MixSettings

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The window of each iteration, as a pure function.
///
/// A window is always `length` long and lies in 0 ..< steps − 1: the last step is never stochastic.
public struct WindowSchedule: Equatable, Sendable {
  /// How the window moves.
  public let mode: WindowMode
  /// w; with `.all` the number of stochastic steps
  public let length: Int
  /// T, the steps of the time grid
  public let steps: Int
  /// Key of all random draws.
  public let seed: UInt64

  /// - Throws: `invalidArgument` naming each invalid field.
  public init(_ mode: WindowMode, length: Int, steps: Int, seed: UInt64) throws(MixGRPOError) {
    self.mode = mode
    if case .all = mode { self.length = steps - 1 } else { self.length = length }
    self.steps = steps
    self.seed = seed
    try validate()
    try Memory.require(steps, of: 64)  // the list of all starts
  }

  /// l_max, the last possible start
  public var lastStart: Int { steps - 1 - length }

  /// - Throws: `invalidArgument` for a negative iteration, and for `.given` and `.adaptive`, whose windows depend on more than the
  ///   iteration.
  public func window(iteration: Int) throws(MixGRPOError) -> SDEWindow {
    try require(iteration >= 0, "iteration", expected: "0 or more", got: iteration)
    return SDEWindow(start: try start(iteration), length: length)
  }

  /// The window assumed by predictions before a run: the scheduled window; for `.adaptive` that of a run which stays `maximum`
  /// iterations at every place; for `.given` the first.
  /// - Throws: `invalidArgument` for a negative iteration.
  public func forecast(iteration: Int) throws(MixGRPOError) -> SDEWindow {
    try require(iteration >= 0, "iteration", expected: "0 or more", got: iteration)
    switch mode {
    case .given: return SDEWindow(start: 0, length: length)
    case .adaptive(let interval, let stride, let atEnd):
      return SDEWindow(start: visit(iteration, stride, atEnd) { _ in interval.maximum }, length: length)
    default: return try window(iteration: iteration)
    }
  }

  /// The steps of `window` that are trained, in increasing order.
  public func trainedSteps(of window: SDEWindow, iteration: Int) -> [Int] {
    guard case .all(let subset) = mode else { return Array(window.steps) }
    switch subset {
    case .full: return Array(window.steps)
    case .firstFraction(let fraction): return Array(window.steps.prefix(count(fraction)))
    case .randomSubset(let fraction):
      var stream = RandomStream(seed: seed, purpose: .trainedSteps, iteration: iteration)
      return stream.subset(of: length, count: count(fraction)).map { window.start + $0 }
    }
  }

  private func count(_ fraction: Double) -> Int { max(1, roundedDown(fraction * Double(length))) }

  private func start(_ iteration: Int) throws(MixGRPOError) -> Int {
    switch mode {
    case .frozen(let start): return start
    case .progressive(let interval, let stride, let atEnd):
      return visit(iteration, stride, atEnd) { _ in interval }
    case .linearDecay(let minimum, let maximum, let stride, let atEnd):
      return visit(iteration, stride, atEnd) { start in
        let share = Double(start) / Double(max(lastStart, 1))
        return max(minimum, roundedDown(Double(maximum) * (1 - share) + Double(minimum) * share))
      }
    case .exponentialDecay(let initial, let rate, let threshold, let stride, let atEnd):
      return visit(iteration, stride, atEnd) { start in
        max(1, Int((Double(initial) * exp(-rate * Double(max(0, start - threshold)))).rounded(.up)))
      }
    case .random:
      var stream = RandomStream(seed: seed, purpose: .windowStart, iteration: iteration)
      return stream.integer(below: lastStart + 1)
    case .all: return 0
    case .given, .adaptive:
      throw .invalid(
        "window", expected: "a window, as the window mode \(mode == .given ? "given" : "adaptive") has none of its own",
        got: "none")
    }
  }

  /// Visits the starts 0, stride, 2·stride … ≤ l_max, each for `interval(start)` iterations. `.stay` ends at l_max.
  private func visit(_ iteration: Int, _ stride: Int, _ atEnd: WindowEnd, interval: (Int) -> Int) -> Int {
    let starts = Array(Swift.stride(from: 0, through: lastStart, by: stride))
    let round = starts.reduce(0) { $0 + interval($1) }
    var rest = atEnd == .rollBack ? iteration % round : iteration
    for start in starts {
      if rest < interval(start) { return start }
      rest -= interval(start)
    }
    return lastStart
  }
}

/// ⌊value⌋; a value that rounding has left slightly below an integer counts as that integer.
func roundedDown(_ value: Double) -> Int { Int((value + 1e-9).rounded(.down)) }

// MARK: - Validation

extension WindowSchedule {
  /// A window given by the caller must have the schedule's length and must not contain the last step.
  public func check(_ window: SDEWindow) throws(MixGRPOError) {
    var validation = Validation()
    validation.require(window.length == length, "window_length", expected: "\(length)", got: window.length)
    validation.require(
      (0...max(0, lastStart)).contains(window.start), "window_start", expected: "0…\(max(0, lastStart))",
      got: window.start)
    try validation.throwIfAny()
  }

  private func validate() throws(MixGRPOError) {
    var configuration = SamplingConfiguration()
    (configuration.schedule, configuration.windowMode) = (.shifted(steps: steps, shift: 1), mode)
    if case .all = mode {} else { configuration.windowLength = length }
    var validation = Validation()
    configuration.record.check(&validation)
    Self.checkRules(mode, length: configuration.windowLength, steps: steps, &validation)
    try validation.throwIfAny()
  }

  /// Conditions on more than one value.
  static func checkRules(_ mode: WindowMode, length: Int, steps: Int, _ validation: inout Validation) {
    if case .all = mode { return }
    guard TimeGrid.Schedule.stepsRange.contains(steps), steps >= 2 else { return }
    validation.require(length <= steps - 1, "window_length", expected: "1…\(steps - 1) (steps − 1)", got: length)
    let lastStart = max(0, steps - 1 - max(1, min(length, steps)))
    switch mode {
    case .frozen(let start):
      validation.require(start <= lastStart, "window_start", expected: "0…\(lastStart)", got: start)
    case .linearDecay(let minimum, let maximum, _, _): checkOrder(minimum, maximum, &validation)
    case .adaptive(let interval, _, _): checkOrder(interval.minimum, interval.maximum, &validation)
    case .progressive, .exponentialDecay, .random, .all, .given: break
    }
  }

  private static func checkOrder(_ minimum: Int, _ maximum: Int, _ validation: inout Validation) {
    validation.require(
      minimum <= maximum, "window_minimum_interval", expected: "at most window_interval, \(maximum)", got: minimum)
  }
}
