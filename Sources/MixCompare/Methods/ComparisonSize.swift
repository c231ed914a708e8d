import ProceduralWorld

/// The size of a comparison. The default takes less than an hour on two cores. All methods get the same size.
public struct ComparisonSize: Equatable, Sendable {
  /// Iterations of one run.
  public var iterations = 30
  /// Runs of each method, with seeds 1, 2, …
  public var seeds = 3
  /// Prompts per iteration, each with a group of pictures.
  public var prompts = 1
  /// G.
  public var groupSize = 12
  /// T, steps from noise to picture in training.
  public var steps = 25
  /// Evaluations of one run, not counting the base model.
  public var evaluations = 5
  /// Deterministic steps from noise to picture in an evaluation.
  public var evaluationSteps = 12
  /// Pictures per evaluated prompt.
  public var evaluationPictures = 2

  public init() {}

  /// τ: the window takes 15 positions in a run, as in the paper with 25 iterations per position in about 300 iterations.
  var windowInterval: Int { max(1, iterations / 15) }

  /// The iterations after which a run is evaluated: evenly spaced, ending with the last iteration.
  var evaluated: [Int] {
    let count = min(evaluations, iterations)
    return (1...max(count, 1)).map { $0 * iterations / max(count, 1) }
  }

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate() throws(MixGRPOError) {
    var check = Validation()
    func require(_ field: String, _ value: Int, _ range: ClosedRange<Int>) {
      check.require(
        range.contains(value), field, expected: "\(range.lowerBound)…\(range.upperBound)", got: value)
    }
    require("iterations", iterations, 1...100_000)
    require("seeds", seeds, 1...1_000)
    require("prompts", prompts, 1...World.trainingScenes.count)
    require("group_size", groupSize, 4...256)
    require("steps", steps, 6...1_000)
    require("evaluations", evaluations, 1...1_000)
    require("evaluation_steps", evaluationSteps, 1...1_000)
    require("evaluation_pictures", evaluationPictures, 1...64)
    try check.throwIfAny()
  }
}
