import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The stochastic step taken inside the window. `noiseLevel` is η of the papers.
public enum Dynamics: Equatable, Sendable {
  /// Flow-SDE with g = η√(σ/(1−σ)) (Flow-GRPO, arXiv 2505.05470). η in (0, 10].
  case flow(noiseLevel: Double)
  /// Dance-SDE with constant g = η (DanceGRPO, arXiv 2505.07818). η in (0, 10].
  case dance(noiseLevel: Double)
  /// Coefficient-preserving sampling: part of the implied noise is replaced by fresh noise (CPS, arXiv 2509.05952).
  /// η in (0, 1].
  case coefficientPreserving(noiseLevel: Double)

  /// η, without unit.
  public var noiseLevel: Double {
    switch self {
    case .flow(let level), .dance(let level), .coefficientPreserving(let level): level
    }
  }

  /// - Throws: `invalidArgument` naming `noise_level`.
  public func validate() throws(MixGRPOError) {
    var validation = Validation()
    try require(noiseLevel > 0 && noiseLevel <= 10, "noise_level", expected: "a value in (0, 10]", got: noiseLevel)
    checkRules(&validation)
    try validation.throwIfAny()
  }

  /// The angle of coefficient-preserving steps is at most π/2.
  func checkRules(_ validation: inout Validation) {
    guard case .coefficientPreserving(let level) = self else { return }
    validation.require(
      !(level > 1 && level <= 10), "noise_level", expected: "a value in (0, 1], with the dynamics cps", got: level)
  }
}

/// The solver of deterministic steps for the flow's ordinary differential equation. Raw values are stable.
public enum Solver: Int32, Equatable, Sendable, CaseIterable {
  /// x' = x + v·dt.
  case euler = 0
  /// DPM-Solver++ of order 1 (arXiv 2211.01095); for flow matching the same step as Euler's.
  case dpmSolver1 = 1
  /// DPM-Solver++ 2M, midpoint form.
  case dpmSolver2Midpoint = 2
  /// DPM-Solver++ 2M, Heun form.
  case dpmSolver2Heun = 3
  /// DPM-Solver++ 3M.
  case dpmSolver3 = 4

  /// Data predictions a step uses, including its own.
  public var order: Int {
    switch self {
    case .euler, .dpmSolver1: 1
    case .dpmSolver2Midpoint, .dpmSolver2Heun: 2
    case .dpmSolver3: 3
    }
  }
}
