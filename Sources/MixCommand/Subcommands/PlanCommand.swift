import ArgumentParser
import MixCompare
import MixGRPO
import MixTerminal

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Shows the steps and costs of an alignment without running it.",
    discussion: """
      Takes the settings of `mixgrpo align` and shows the noise levels, the position of the window in each iteration, and the \
      number of model calls: forward in rollouts, forward and backward in updates. A call evaluates one picture at one step; \
      calls that members of a group share count once. The seconds of an iteration and of the run come from a forward and a \
      backward pass of a model of these sizes, which it measures, and the memory from the sizes.

        mixgrpo plan --preset mixgrpo_flash
        mixgrpo plan --config run/settings.json --group-size 24
        mixgrpo plan --model examples/base --iterations 300 --json
        mixgrpo plan --model examples/base --prompts-per-iteration 8 --ranks 4
      """)

  @OptionGroup(title: "Settings") var config: ConfigOptions
  @Option(
    help: ArgumentHelp("The model to align (the one that comes with the command).", valueName: "folder"), completion: .directory
  )
  var model: String?
  @Option(help: "Processes that train the model together, for what one of them sends and needs (1).") var ranks = 1
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    var settings = try config.alignSettings(from: AlignSettings()) { (settings) throws(MixGRPOError) in
      replace(&settings.model, with: model)
      pictures.apply(to: &settings.pictures)
      training.apply(to: &settings)
      try evaluation.apply(to: &settings.evaluation)
    }
    if config.printConfig { return show(try SettingsSource.text(settings)) }
    let plan = try AlignmentPlan(settings)
    settings.model = try ShippedModel.folder(unless: settings.model)
    let planned = try PlannedModel(settings)
    let traffic = try AlignmentTraffic(settings, planned, plan, ranks: ranks)
    let memory = try AlignmentMemory(settings, planned, prompts: plan.promptsPerIteration, ranks: ranks)
    let time = AlignmentTime(plan, try ModelSpeed(planned))
    if json {
      var report = plan.json
      report["model"] = .string(settings.model)
      report["memory"] = .object(memory.json)
      if ranks > 1 { report["ranks"] = .object(traffic.json) }
      report["seconds"] = .object(time.json)
      return show(try JSONValue.object(report).text(.indented))
    }
    report(plan)
    show("model         \(settings.model)")
    for line in time.lines { show(line) }
    report(memory)
    if ranks > 1 {
      show(traffic.line)
      show("              (times are those of one process with all prompts)")
    }
  }

  private func report(_ plan: AlignmentPlan) {
    show("\(plan.promptsPerIteration) prompts and \(plan.picturesPerIteration) pictures per iteration")
    show("noise levels  \(plan.sigmas.map { fixed($0, 3) }.joined(separator: " "))\n")
    show("iterations      window    trained   steps   calls in a rollout   in an update")
    for stage in plan.stages {
      let iterations = "\(stage.iterations.lowerBound)–\(stage.iterations.upperBound - 1)"
      let window = "\(stage.window.lowerBound)–\(stage.window.upperBound - 1)"
      show(
        column(iterations, 15) + column(window, 9) + column("\(stage.trainedSteps)", 9) + column("\(stage.steps)", 7)
          + column("\(stage.rolloutCalls)", 20) + "\(stage.updateCalls)")
    }
    show("\ntotal calls   \(plan.totalRolloutCalls) forward, \(plan.totalUpdateCalls) forward and backward")
  }

  private func report(_ memory: AlignmentMemory) {
    for part in memory.parts { show("\(column(part.name, 14))\(column(mebibytes(part.bytes), 14))\(part.meaning)") }
  }

  private func mebibytes(_ bytes: Int) -> String { "\(fixed(Double(bytes) / 1_048_576, 1)) MiB" }
}
