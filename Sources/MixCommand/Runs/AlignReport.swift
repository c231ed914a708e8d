import MixCompare
import MixGRPO
import MixTerminal

/// What a person sees of an alignment while it runs.
final class AlignReport {
  /// The model calls of an iteration.
  typealias Calls = (rollout: Int, update: Int)

  private let settings: AlignSettings
  private let rank: Rank
  private let progress: ProgressDisplay
  private let calls: Calls
  private var trend: RewardTrend
  private var pace = Pace()
  private var hasSaidPace = false
  private var warned: Set<TrainingWarning.Kind> = []
  private var firstEvaluation: [Double]?
  private var latestEvaluation: [Double]?

  /// - Parameters:
  ///   - begun: iterations done before this process started.
  ///   - earlier: their mean rewards.
  ///   - evaluated: the means of the run's first evaluation, when it has been done before.
  ///   - iterationsPerRound: iterations after which every prompt has been drawn.
  ///   - calls: the model calls of the next iteration.
  ///   - rank: one that is not the first shows nothing.
  init(
    _ settings: AlignSettings, begun: Int, earlier: [Double], evaluated: (first: [Double], latest: [Double])?,
    iterationsPerRound: Int, calls: Calls, rank: Rank
  ) {
    (self.settings, self.calls, self.rank) = (settings, calls, rank)
    progress = ProgressDisplay(total: settings.iterations, begun: begun, unit: "iteration", isShown: rank.index == 0)
    trend = RewardTrend(iterationsPerRound: iterationsPerRound)
    for reward in earlier { trend.add(reward) }
    (firstEvaluation, latestEvaluation) = (evaluated?.first, evaluated?.latest)
  }

  var secondsSoFar: Double { progress.secondsSoFar }

  func announce(_ line: String) { progress.announce(line) }

  /// What is said before the first iteration.
  /// - Parameter sumsAnew: whether gradients are added up in another order than before.
  func announce(_ start: RunStart, promptsPerIteration prompts: Int, sumsAnew: Bool) {
    if sumsAnew { announce("sum_per_prompt: true from now on; what this changes is within rounding") }
    for remark in start.remarks { announce(remark) }
    if settings.promptsPerIteration == 0, prompts < settings.usualPrompts {
      announce("prompts_per_iteration: using all \(prompts) prompts")
    }
    if rank.count > prompts {
      announce("prompts_per_iteration: \(prompts) prompts for \(rank.count) processes; \(rank.count - prompts) idle")
    }
  }

  /// What only this rank knows, such as a warning about its reward programs.
  func warn(_ line: String) {
    if rank.index == 0 { announce(line) } else { StandardError.write("rank \(rank.index): \(Printable.lines(line))\n") }
  }

  func finish() { progress.finish() }

  // MARK: - Within an iteration

  enum Work { case pictures, evaluation, rollout, update }

  func begin(_ work: Work, iteration: Int) {
    pace.beginStage()
    showBar(work, iteration, 0, of: 0)
  }

  func reached(_ work: Work, iteration: Int, _ done: Int, of total: Int) {
    pace.reached(done, isTrained: work == .update)
    sayPace(iteration)
    showBar(work, iteration, done, of: total)
  }

  func scoring(iteration: Int) { wait(iteration, "scoring") }
  func voting(iteration: Int) { wait(iteration, "waiting for votes") }

  private func wait(_ iteration: Int, _ what: String) { progress.show(iteration, share: share(.update, 0, of: 1), what) }

  private func showBar(_ work: Work, _ iteration: Int, _ done: Int, of total: Int) {
    let name =
      switch work {
      case .pictures: "pictures"
      case .evaluation: "evaluation"
      case .rollout: "rollout"
      case .update: "update"
      }
    let step = total > 0 ? " \(done) of \(total)" : ""
    let isTimed = iteration > 0 || work == .update
    progress.show(
      iteration, share: share(work, done, of: total), name + step, secondsLeft: isTimed ? nil : estimateOfRun(iteration))
  }

  /// Completed share of the iteration, by the time that its parts take.
  private func share(_ work: Work, _ done: Int, of total: Int) -> Double {
    let (rollout, update) = (Double(calls.rollout), Pace.backwardRatio * Double(calls.update))
    let part = total > 0 ? min(1, Double(done) / Double(total)) : 0
    return switch work {
    case .pictures, .evaluation: 0
    case .rollout: part * rollout / max(rollout + update, 1)
    case .update: (rollout + part * update) / max(rollout + update, 1)
    }
  }

  private func estimateOfRun(_ iteration: Int) -> Double? {
    pace.estimate(forward: calls.rollout, trained: calls.update).map { $0 * Double(settings.iterations - iteration) }
  }

  /// Says once how long an iteration takes, after a second of measuring, unless one has finished before.
  private func sayPace(_ iteration: Int) {
    guard !hasSaidPace, pace.seconds > 1, iteration < settings.iterations,
      let one = pace.estimate(forward: calls.rollout, trained: calls.update), let all = estimateOfRun(iteration)
    else { return }
    hasSaidPace = true
    progress.announce(
      "an iteration takes about \(spokenDuration(one)), the run about \(spokenDuration(all)) and the time of rewards "
        + "(estimated from \(pace.rows) model calls)")
  }

  // MARK: - After it

  func finished(_ metrics: IterationMetrics) {
    hasSaidPace = true
    trend.add(metrics.rewardMean)
    let done = metrics.iteration + 1
    progress.finished(done, figures(metrics), gauges: gauges, remarks: remarks(metrics))
    for warning in metrics.warnings where warned.insert(warning.kind).inserted {
      progress.announce("warning: iteration \(metrics.iteration): \(warning.text)")
    }
  }

  /// Evaluations draw the same pictures each time, so that their change is the model's; a trend of the training rewards is not
  /// that exact.
  private var gauges: [(name: String, text: String)] {
    guard settings.isEvaluated else { return [("trend", trend.change.map { signed($0) } ?? "")] }
    let (first, latest) = (firstEvaluation.map(settings.evaluatedMean), latestEvaluation.map(settings.evaluatedMean))
    let change = latest.flatMap { latest in first.map { signed(latest - $0) } }
    return [("evaluated", latest.map { significant($0) } ?? ""), ("change", change ?? "")]
  }

  /// The mean first when there are several rewards.
  private func figures(_ metrics: IterationMetrics) -> [(name: String, value: Double)] {
    let each = metrics.rewards.map { (name: $0.name, value: $0.mean) }
    return each.count == 1 ? each : [(name: "mean", value: metrics.rewardMean)] + each
  }

  private func remarks(_ metrics: IterationMetrics) -> [String] {
    var remarks: [String] = []
    if metrics.failedRewards > 0 { remarks.append("\(metrics.failedRewards) not scored") }
    if metrics.skippedSteps > 0 { remarks.append("\(metrics.skippedSteps) steps skipped") }
    if metrics.isRolledBack { remarks.append("rolled back") }
    return remarks
  }

  /// - Parameter rewards: names and whether they are held out, in the order of the means.
  func evaluated(_ result: EvaluationResult, _ rewards: [EvaluationReward]) {
    let first = firstEvaluation ?? result.means
    let isFirst = firstEvaluation == nil
    (firstEvaluation, latestEvaluation) = (first, result.means)
    let parts = zip(rewards, zip(result.means, first)).map { reward, means in
      let change = isFirst ? "" : " (\(signed(means.0 - means.1)))"
      return "\(reward.name)\(reward.isHeldOut ? " [held out]" : "") \(significant(means.0))\(change)"
    }
    progress.announce(
      "evaluation at iteration \(result.iteration): \(parts.joined(separator: ", "))\(result.isBest ? ", best so far" : "")")
    if !result.message.isEmpty {
      progress.announce("\(result.verdict == .stop ? "stopped" : "warning"): \(result.message)")
    }
  }
}

extension AlignReport {
  /// The report of a run that earlier processes may have begun. Ranks that are not the first show nothing, and read nothing.
  convenience init(
    _ settings: AlignSettings, _ folder: RunFolder, _ order: PromptOrder, begun: Int, _ rank: Rank
  ) throws(MixGRPOError) {
    let isFirst = rank.index == 0
    let earlier = isFirst ? try folder.lines(folder.metrics).filter { $0.iteration < begun } : []
    let mostPrompts = RankPlaces(rollouts: [order.perIteration], ranks: rank.count).largestShare
    self.init(
      settings, begun: begun, earlier: earlier.map { $0.object["reward_mean"]?.double ?? .nan },
      evaluated: isFirst ? try Self.evaluated(folder, settings, until: begun) : nil,
      iterationsPerRound: order.count / order.perIteration,
      calls: try AlignmentPlan.calls(settings, prompts: mostPrompts, iteration: begun), rank: rank)
  }

  /// The means of the first and the latest evaluation so far, the training rewards first.
  private static func evaluated(
    _ folder: RunFolder, _ settings: AlignSettings, until begun: Int
  ) throws(MixGRPOError) -> (first: [Double], latest: [Double])? {
    let lines = try folder.lines(folder.evaluations).filter { $0.iteration <= begun }
    let names = (settings.computedRewards + settings.evaluation.heldOut).map(\.name)
    let means = lines.map { line in names.map { line.object["means"]?.object?[$0]?.double ?? .nan } }
    return means.first.flatMap { first in means.last.map { (first, $0) } }
  }
}
