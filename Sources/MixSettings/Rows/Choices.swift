/// The names of the header's enumeration constants, each list in the order of its numbers from 0: the constants in lower case,
/// without the prefix of their enumeration.
package enum Choices {
  package static let dynamics = ["flow", "dance", "cps"]
  package static let windowMode = [
    "frozen", "progressive", "linear_decay", "exponential_decay", "random", "all", "given", "adaptive",
  ]
  package static let windowEnd = ["roll_back", "stay"]
  package static let trainedSubset = ["first", "random"]
  package static let solver = ["euler", "dpm_1", "dpm_2_midpoint", "dpm_2_heun", "dpm_3"]
  package static let initialNoise = ["shared", "own"]
  package static let logProbability = ["mean", "sum", "cps_peer", "guarded"]
  package static let sigmaRounding = ["exact", "thousandths"]
  package static let advantageMode = ["advantage_aggregation", "reward_aggregation", "gdpo"]
  package static let standardDeviationScope = ["group", "batch"]
  package static let stepWeighting = ["uniform", "by_noise"]
  package static let schedule = ["constant", "cosine"]
  package static let faultPolicy = ["stop", "skip", "roll_back"]
  package static let undo = ["memory", "none"]
  package static let precision = ["float32", "bfloat16"]
  package static let weights = ["trained", "base", "average"]
  package static let watchdog = ["off", "warn", "stop"]
}
