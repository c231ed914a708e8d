import Dispatch
import MixLearning
import MixSampling

/// The samples that an update trains on.
struct SampledGroups {
  let trajectory: Trajectory
  /// Prompts of each rollout, of all ranks.
  let promptCounts: [Int]
  let modelCalls: Int
  let seconds: Double
}

/// Samples with the host's rewards for them.
struct RewardedGroups {
  let sampled: SampledGroups
  /// (K, samples).
  let rewards: [[Double]]
  /// The rewards of all ranks with which a stopped update continues, whatever others have been submitted since.
  let kept: [[Double]]?

  init(_ sampled: SampledGroups, _ rewards: [[Double]], kept: [[Double]]? = nil) {
    (self.sampled, self.rewards, self.kept) = (sampled, rewards, kept)
  }
}

/// One rollout of an iteration with several rollouts.
struct TicketedRollout {
  /// Of all ranks.
  let prompts: [Int32]
  let trajectory: Trajectory
  let modelCalls: Int
  let seconds: Double
}

/// An update that stopped between two optimizer steps, which are kept (`Undo.none`).
struct StoppedUpdate {
  let update: Update
  let rewards: [[Double]]
  let advantages: Advantages
  let tally: StepTally
  let seconds: Double
}

/// An iteration whose update is in progress.
struct IterationInProgress {
  let guarded: GuardedUpdate
  let sampled: SampledGroups
  /// (K, prompts · group size), as given.
  let rewards: [[Double]]
  let advantages: Advantages
  /// (K), the weight of each reward; nil for those of the configuration.
  let weights: [Double]?
  let started: DispatchTime
  /// Wall time of the earlier runs of an update that stopped between two optimizer steps.
  let secondsBefore: Double
  /// The figures of all ranks, once they have arrived.
  var combined: RankFigures?

  var secondsUpdate: Double { secondsBefore + seconds(since: started) }

  /// The figures of this rank.
  var figures: RankFigures {
    RankFigures(
      policy: guarded.update.metrics, modelCallsRollout: sampled.modelCalls, secondsRollout: sampled.seconds,
      secondsUpdate: secondsUpdate, velocityChange: guarded.report(optimizerSteps: 0).velocityChange)
  }

  /// The metrics of the finished iteration.
  func metrics(iteration: Int, rewardNames: [String], learning: LearningConfiguration) -> IterationMetrics {
    let weights = weights ?? (learning.advantages.weights.isEmpty ? rewardNames.map { _ in 1 } : learning.advantages.weights)
    let report = guarded.report(optimizerSteps: 0)
    let figures = combined ?? figures
    let policy = figures.policy
    return IterationMetrics(
      iteration: iteration, window: sampled.trajectory.plan.window,
      rewards: zip(rewardNames, advantages.rewards).map { name, reward in
        IterationMetrics.Reward(
          name: name, mean: reward.mean, standardDeviation: reward.standardDeviation, failures: reward.failures)
      },
      rewardMean: mean(weights, \.mean), rewardStandardDeviation: mean(weights, \.standardDeviation),
      degenerateGroups: advantages.degenerateGroups.count, policy: policy, gradientNorm: report.gradientNorm,
      learningRate: report.learningRate, modelCallsRollout: figures.modelCallsRollout,
      modelCallsUpdate: policy.evaluations, secondsRollout: figures.secondsRollout, secondsUpdate: figures.secondsUpdate,
      skippedSteps: report.skippedSteps, isRolledBack: report.isRolledBack, velocityChange: figures.velocityChange,
      warnings: signs(iteration, rewardNames, weights, policy, report, learning).warnings)
  }

  private func signs(
    _ iteration: Int, _ names: [String], _ weights: [Double], _ policy: UpdateMetrics, _ report: UpdateReport,
    _ learning: LearningConfiguration
  ) -> WarningSigns {
    WarningSigns(
      iteration: iteration, rewardNames: names, weights: weights, advantages: advantages, policy: policy,
      gradientNorm: report.gradientNorm, learningRate: report.learningRate, skippedSteps: report.skippedSteps,
      isRolledBack: report.isRolledBack, clipRange: learning.policy.clipRange,
      isRateConstant: learning.optimizer.schedule == LearningRateSchedule())
  }

  /// The weighted mean over the rewards. A reward of weight 0 is ignored, even when it is NaN.
  private func mean(_ weights: [Double], _ value: (Advantages.Reward) -> Double) -> Double {
    let total = weights.reduce(0, +)
    return zip(weights, advantages.rewards).reduce(0) { $1.0 > 0 ? $0 + $1.0 / total * value($1.1) : $0 }
  }
}

func seconds(since start: DispatchTime) -> Double {
  Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) * 1e-9
}
