import ProceduralWorld

/// How large a comparison is. The default fits two cores and less than an hour; all methods get the same.
public struct ComparisonSize: Equatable, Sendable {
  /// Rollouts and updates of one run.
  public var iterations = 30
  /// Runs of each method; their seeds are 1, 2, …
  public var seeds = 3
  /// Prompts per iteration, each with a group of pictures.
  public var prompts = 1
  /// G.
  public var groupSize = 12
  /// T, from noise to picture in training.
  public var steps = 25
  /// Evaluations of one run, the base model's not counted.
  public var evaluations = 5
  /// Steps from noise to picture in the evaluation, without randomness.
  public var evaluationSteps = 12
  /// Pictures of each evaluated prompt.
  public var evaluationPictures = 2

  public init() {}

  /// τ: the window sees 15 places in the course of a run, as with the paper's 25 iterations per place of about 300.
  var windowInterval: Int { max(1, iterations / 15) }

  /// The iterations after which a run is evaluated, evenly spread, the last one of them at the end.
  var evaluated: [Int] {
    let count = min(evaluations, iterations)
    return (1...max(count, 1)).map { $0 * iterations / max(count, 1) }
  }

  /// - Throws: one `invalidArgument` that names every unfit field.
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
