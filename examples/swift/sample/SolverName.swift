import ArgumentParser
import ProceduralWorld

/// The solvers as the command line calls them.
enum SolverName: String, CaseIterable, ExpressibleByArgument {
  case euler
  case dpm1
  case dpm2Midpoint = "dpm2-midpoint"
  case dpm2Heun = "dpm2-heun"
  case dpm3

  var solver: Solver {
    switch self {
    case .euler: .euler
    case .dpm1: .dpmSolver1
    case .dpm2Midpoint: .dpmSolver2Midpoint
    case .dpm2Heun: .dpmSolver2Heun
    case .dpm3: .dpmSolver3
    }
  }
}
