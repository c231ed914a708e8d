import ArgumentParser
import MixBasics
import MixStorage
import MixTerminal
import ProceduralWorld

/// The command `mixgrpo compare`.
public struct CompareCommand: ParsableCommand {
  public static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compares MixGRPO with Flow-GRPO and DanceGRPO: rewards, model calls and time.",
    discussion: """
      Every method aligns the same model on the same rewards with several seeds; then the time of its iterations is measured, \
      methods taking turns. Rewards do not depend on how busy the machine is, times do: --only-rewards leaves them out, \
      --only-timing measures them again.

      A command that was ended goes on where it stood when it is given again: each run leaves its result in OUT/runs. Leaves \
      in the output folder: table.md, table.csv, curves-iterations.svg, curves-seconds.svg, samples-*.png, timing.json and \
      report.html, which holds all of it. The default takes about half an hour on two cores.

        mixgrpo compare
        mixgrpo compare --seeds 5 --methods dance-14,mixgrpo
        mixgrpo compare --ablation window
        mixgrpo compare --only-timing
      """)

  @Option(help: "Folder of the base model (the model that comes with the command).") var model = ""
  @Option(help: "Folder for the results.") var out = "out/compare"
  @OptionGroup var options: SizeOptions
  @Option(help: "Only these methods, separated by commas.") var methods = Method.allCases.map(\.rawValue).joined(separator: ",")
  @Option(help: "Vary one setting of MixGRPO instead of comparing methods; results go to OUT/ablation-NAME.") var ablation:
    Ablation?
  @Option(help: "Time measurements per method; the median is reported.") var turns = 5
  @Option(help: "Runs in parallel, one thread each; 0 for one per core.") var jobs = 0
  @Flag(help: "Do not measure times.") var onlyRewards = false
  @Flag(help: "Only measure times, again if they exist.") var onlyTiming = false
  @Flag(help: "Tune the learning rate of each method, or of adapters with --ablation lora; enter the best in TunedRates.swift.")
  var tune = false

  public init() {}

  public func validate() throws {
    guard turns > 0 else { throw ValidationError("--turns: expected at least 1, got \(turns)") }
    guard jobs >= 0 else { throw ValidationError("--jobs: expected at least 0, got \(jobs)") }
    guard !(onlyRewards && onlyTiming) else {
      throw ValidationError("--only-rewards, --only-timing: expected one of them, got both")
    }
    guard !tune || ablation == nil || ablation == .lora else {
      throw ValidationError("--tune: expected no --ablation or lora, got \(ablation?.rawValue ?? "none")")
    }
    _ = try chosen()
  }

  public func run() throws {
    try OutputPlace.requireFolder(out)
    let stage = try Stage(model: ShippedModel.folder(unless: model), size: options.size)
    let workers = jobs == 0 ? Machine.cores : jobs
    let folder = ablation.map { FileAccess.join(out, "ablation-\($0.rawValue)") } ?? out
    let lock = try FolderLock(folder: folder)
    defer { withExtendedLifetime(lock) {} }
    let context = try RunContext()
    StopSignals.watch(context) { StandardError.write("stopping; the same command goes on where this one stands\n") }
    if tune {
      return try tuning(stage, folder).run(workers: workers, stop: context, report: show)
    }
    let arms = try ablation?.arms(stage.size) ?? chosen().map { $0.arm(stage.size) }
    let campaign = Campaign(stage: stage, out: folder, arms: arms, seeds: Array(1...stage.size.seeds))
    let base = try campaign.evaluateBase(context)
    if !onlyTiming { try campaign.runRewards(workers: workers, stop: context, report: show) }
    let timing = try timing(campaign, context)
    let title = ablation.map { "MixGRPO: \($0.title)" } ?? "MixGRPO, Flow-GRPO and DanceGRPO"
    let comparison = try campaign.comparison(title, base: base, timing: timing, reference: reference(of: arms, stage.size))
    try Publication(comparison: comparison, folder: folder).write()
    show("\n" + ResultTable(comparison: comparison).markdown + "\n\(folder)/report.html")
  }

  private func tuning(_ stage: Stage, _ folder: String) throws -> Tuning {
    if ablation == .lora {
      let mix = Method.mixGRPO.arm(stage.size)
      return Tuning(stage: stage, out: folder, arms: Ablation.adapters(mix), grid: TunedRates.gridOfAdapters)
    }
    return try Tuning(stage: stage, out: folder, arms: chosen().map { $0.arm(stage.size) }, grid: TunedRates.grid)
  }

  /// The reference for relative times: DanceGRPO as in the paper, or in an ablation the arm with the table's settings.
  private func reference(of arms: [Arm], _ size: ComparisonSize) -> String {
    let usual = [Method.danceGRPO14, .mixGRPO, .flash].map { $0.arm(size).settings }
    return (arms.first { usual.contains($0.settings) } ?? arms[0]).name
  }

  private func timing(_ campaign: Campaign, _ context: RunContext) throws -> Timing? {
    let path = FileAccess.join(campaign.out, "timing.json")
    let known = try FileAccess.isPresent(path) ? try Timing(path: path).still(valid: campaign.arms, campaign.stage.size) : nil
    let isComplete = campaign.arms.allSatisfy { known?.entry($0.name) != nil }
    if onlyRewards || (isComplete && !onlyTiming) { return known }
    let timing = try Timing.measure(
      campaign.arms, stage: campaign.stage, turns: turns, context: context, report: show)
    try timing.write(to: path)
    return timing
  }

  /// Distinct methods, in the order of the table.
  private func chosen() throws -> [Method] {
    let names = methods.split(separator: ",").map(String.init)
    let unknown = names.filter { Method(rawValue: $0) == nil }
    guard !names.isEmpty, unknown.isEmpty else {
      let known = Method.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--methods: expected \(known), got \(unknown.first ?? "none")")
    }
    return Method.allCases.filter { names.contains($0.rawValue) }
  }
}
