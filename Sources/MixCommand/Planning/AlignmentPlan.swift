import CMixGRPO
import MixGRPO

/// The steps and costs of an alignment, computed without running it.
struct AlignmentPlan {
  /// Consecutive iterations with the same window.
  struct Stage {
    let iterations: Range<Int>
    let window: Range<Int>
    let trainedSteps: Int
    let steps: Int
    /// Rows evaluated per iteration; latents that members share count once.
    let rolloutCalls: Int
    let updateCalls: Int
  }

  private let settings: AlignSettings
  let promptsPerIteration: Int
  /// Of the run; where it is unknown, those of an iteration.
  let promptCount: Int
  let stages: [Stage]
  let sigmas: [Double]
  /// Rows evaluated by all evaluations.
  let totalEvaluationCalls: Int

  /// - Throws: `invalidArgument` naming every invalid setting; the errors of reading the prompts, if a file is set.
  init(_ settings: AlignSettings) throws(MixGRPOError) {
    self.settings = settings
    try require(
      (0...100_000).contains(settings.iterations), "iterations", expected: "0…100000 to plan", got: settings.iterations)
    try require(
      (0...65_536).contains(settings.promptsPerIteration), "prompts_per_iteration", expected: "0…65536",
      got: settings.promptsPerIteration)
    let count = try PixelModel.promptCount(settings.pictures)
    let prompts = settings.promptsPerIteration(of: count)
    if let count { _ = try PromptOrder(count: count, perIteration: prompts, seed: 0) }
    (promptsPerIteration, promptCount) = (prompts, count ?? prompts)
    let sampling = try settings.sampling.configuration()
    _ = try settings.learning.configuration(weights: settings.rewards.map(\.weight), groupSize: settings.groupSize)
    sigmas = try TimeGrid(sampling.schedule).sigmas
    let firstWindow = Self.firstWindow(settings)
    var stages: [Stage] = []
    for iteration in 0..<settings.iterations {
      let plan = try SamplingPlan(sampling, iteration: iteration, window: firstWindow)
      if let last = stages.last, last.window == plan.window {
        stages[stages.count - 1] = Self.stage(plan, last.iterations.lowerBound..<iteration + 1, prompts, settings)
      } else {
        stages.append(Self.stage(plan, iteration..<iteration + 1, prompts, settings))
      }
    }
    self.stages = stages
    totalEvaluationCalls = try Self.evaluationCalls(settings, prompts: promptCount)
  }

  /// Evaluations come before the first of every so many iterations and after the last.
  private static func evaluationCalls(_ settings: AlignSettings, prompts: Int) throws(MixGRPOError) -> Int {
    guard settings.isEvaluated else { return 0 }
    let plan = try settings.repeatedPlan(samplesPerPrompt: settings.evaluation.samplesPerPrompt)
    let every = Int(settings.evaluation.record.every)
    let evaluations = (settings.iterations + every - 1) / every + 1
    return evaluations * plan.modelCalls(prompts: settings.evaluation.rows(of: prompts).count)
  }

  /// The position of an adaptive window depends on rewards, so its first position is used for all iterations.
  static func firstWindow(_ settings: AlignSettings) -> SDEWindow? {
    Int(settings.sampling.record.window_mode) == MIXGRPO_WINDOW_MODE_ADAPTIVE
      ? SDEWindow(start: 0, length: Int(settings.sampling.resolved.window_length)) : nil
  }

  /// The model calls of one iteration.
  static func calls(
    _ settings: AlignSettings, prompts: Int, iteration: Int
  ) throws(MixGRPOError) -> (rollout: Int, update: Int) {
    let plan = try SamplingPlan(settings.sampling.configuration(), iteration: iteration, window: firstWindow(settings))
    let stage = stage(plan, iteration..<iteration + 1, prompts, settings)
    return (stage.rolloutCalls, stage.updateCalls)
  }

  private static func stage(
    _ plan: SamplingPlan, _ iterations: Range<Int>, _ prompts: Int, _ settings: AlignSettings
  ) -> Stage {
    Stage(
      iterations: iterations, window: plan.window, trainedSteps: plan.trainedSteps.count, steps: plan.steps,
      rolloutCalls: plan.modelCalls(prompts: prompts),
      updateCalls: plan.trainingEvaluations(
        prompts: prompts, minibatches: Int(settings.learning.resolved(groupSize: settings.groupSize).updates_per_iteration)))
  }

  var picturesPerIteration: Int { promptsPerIteration * settings.groupSize }
  var totalRolloutCalls: Int { stages.reduce(0) { $0 + $1.rolloutCalls * $1.iterations.count } }
  var totalUpdateCalls: Int { stages.reduce(0) { $0 + $1.updateCalls * $1.iterations.count } }

  var json: JSONObject {
    [
      "iterations": .integer(Int64(settings.iterations)),
      "prompts_per_iteration": .integer(Int64(promptsPerIteration)),
      "pictures_per_iteration": .integer(Int64(picturesPerIteration)),
      "sigmas": .array(sigmas.map { .number($0) }),
      "stages": .array(stages.map(Self.json)),
      "model_calls_rollout": .integer(Int64(totalRolloutCalls)),
      "model_calls_update": .integer(Int64(totalUpdateCalls)),
      "model_calls_evaluations": .integer(Int64(totalEvaluationCalls)),
    ]
  }

  private static func json(_ stage: Stage) -> JSONValue {
    [
      "first_iteration": .integer(Int64(stage.iterations.lowerBound)),
      "last_iteration": .integer(Int64(stage.iterations.upperBound - 1)),
      "window_start": .integer(Int64(stage.window.lowerBound)), "window_length": .integer(Int64(stage.window.count)),
      "trained_steps": .integer(Int64(stage.trainedSteps)), "steps": .integer(Int64(stage.steps)),
      "model_calls_rollout": .integer(Int64(stage.rolloutCalls)), "model_calls_update": .integer(Int64(stage.updateCalls)),
    ]
  }
}
