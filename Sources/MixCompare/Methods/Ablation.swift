import ArgumentParser
import ProceduralWorld

/// Varies one setting of MixGRPO; all others stay as in the table (Mix §4.3).
public enum Ablation: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// w, the number of stochastic, trained steps.
  case window
  /// τ, iterations per window position.
  case tau
  /// Steps by which the window moves at a time.
  case stride
  /// How the window moves.
  case mode
  /// The solver of Flash's tail.
  case order
  /// r̃ of Flash: the remaining share of the steps after the window.
  case ratio
  /// Whether the members of a group start from the same noise.
  case noise
  /// ε of the clip, in nats.
  case clip
  /// The learning rates that the tuning tried.
  case rate
  /// What is trained: all weights, or adapters of several ranks, each at its tuned rate.
  case lora
  /// The products of the model's blocks.
  case precision

  var title: String {
    switch self {
    case .window: "window length w"
    case .tau: "iterations per window position, τ"
    case .stride: "window stride"
    case .mode: "window mode"
    case .order: "solver of the Flash tail"
    case .ratio: "Flash ratio r̃"
    case .noise: "initial noise of a group"
    case .clip: "clip range in nats"
    case .rate: "learning rate"
    case .lora: "all weights or adapters (LoRA)"
    case .precision: "precision of the products"
    }
  }

  func arms(_ size: ComparisonSize) -> [Arm] {
    let mix = Method.mixGRPO.arm(size)
    let flash = Method.flash.arm(size)
    switch self {
    case .window: return Self.windowLengths(mix, size)
    case .tau: return Self.intervals(mix, size)
    case .stride: return Self.strides(mix, size)
    case .mode: return Self.modes(mix, size)
    case .order: return Self.solvers(flash)
    case .ratio:
      return [0.2, 0.4, 0.6, 1].map { ratio in
        flash.changed("ratio-\(ratio)", "r̃ = \(ratio)") { $0.sampling.flash?.ratio = ratio }
      }
    case .noise:
      return [true, false].map { isShared in
        mix.changed(isShared ? "noise-shared" : "noise-own", isShared ? "shared by a group" : "each picture its own") {
          $0.sampling.sharedInitialNoise = isShared
        }
      }
    case .clip:
      return [0.1, 1, Arm.clipNats].map { nats in
        mix.changed("clip-\(nats)", "\(nats) nats") { $0.learning.policy.clipRange = nats / Double(Stage.latentSize) }
      }
    case .rate:
      return TunedRates.grid.map { rate in
        mix.changed("rate-\(rate)", "rate \(rate)") { $0.learning.optimizer.learningRate = rate }
      }
    case .precision:
      return Precision.allCases.map { precision in
        mix.changed("precision-\(precision)", "\(precision)") { $0.evaluator.precision = precision }
      }
    case .lora: return [mix.changed("lora-none", "all weights") { _ in }] + Self.adapters(mix)
    }
  }

  /// α is the rank.
  static func adapters(_ mix: Arm) -> [Arm] {
    TunedRates.ofAdapters.map { rank, rate in
      mix.changed("lora-\(rank)", "LoRA of rank \(rank)") {
        ($0.evaluator.adapterRank, $0.learning.optimizer.learningRate) = (rank, rate)
      }
    }
  }

  private static func windowLengths(_ mix: Arm, _ size: ComparisonSize) -> [Arm] {
    [1, 2, 4, 6, 8].filter { $0 < size.steps }.map { length in
      mix.changed("window-\(length)", "w = \(length)") { $0.sampling.windowLength = length }
    }
  }

  /// Half, one, two and four times the interval of the table.
  private static func intervals(_ mix: Arm, _ size: ComparisonSize) -> [Arm] {
    let intervals = Set([1, 2, 4, 8].map { max(1, size.windowInterval * $0 / 2) })
    return intervals.sorted().map { interval in
      mix.changed("tau-\(interval)", "τ = \(interval)") {
        $0.sampling.windowMode = .progressive(interval: interval, stride: 1, atEnd: .rollBack)
      }
    }
  }

  /// With proportionally longer intervals, so that the window covers the same distance in the same number of iterations.
  private static func strides(_ mix: Arm, _ size: ComparisonSize) -> [Arm] {
    [1, 2, 4].map { stride in
      mix.changed("stride-\(stride)", "stride \(stride)") {
        $0.sampling.windowMode = .progressive(interval: size.windowInterval * stride, stride: stride, atEnd: .rollBack)
      }
    }
  }

  private static func modes(_ mix: Arm, _ size: ComparisonSize) -> [Arm] {
    let interval = size.windowInterval
    let modes: [(name: String, label: String, mode: WindowMode)] = [
      ("progressive", "progressive", .progressive(interval: interval, stride: 1, atEnd: .rollBack)),
      ("frozen", "frozen at the start", .frozen(start: 0)),
      ("random", "random", .random),
      (
        "adaptive", "adaptive",
        .adaptive(AdaptiveInterval(maximum: 2 * interval, trend: max(2, interval)), stride: 1, atEnd: .rollBack)
      ),
      ("linear", "linear decay", .linearDecay(minimumInterval: 1, maximumInterval: 2 * interval, stride: 1, atEnd: .rollBack)),
      (
        "exponential", "exponential decay",
        .exponentialDecay(initialInterval: interval, rate: 0.1, threshold: 13, stride: 1, atEnd: .rollBack)
      ),
    ]
    return modes.map { name, label, mode in mix.changed("mode-\(name)", label) { $0.sampling.windowMode = mode } }
  }

  private static func solvers(_ flash: Arm) -> [Arm] {
    let solvers: [(name: String, solver: Solver)] = [
      ("order 1", .dpmSolver1), ("order 2, midpoint", .dpmSolver2Midpoint), ("order 2, Heun", .dpmSolver2Heun),
      ("order 3", .dpmSolver3),
    ]
    return solvers.map { name, solver in
      flash.changed("order-\(solver)", name) { $0.sampling.flash?.solver = solver }
    }
  }
}
