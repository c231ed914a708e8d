import MixGRPO

/// The time of an alignment, from its model calls and the time of one.
struct AlignmentTime {
  let speed: ModelSpeed
  /// Seconds of one iteration, on average.
  let rollout: Double
  let update: Double
  /// Seconds of all evaluations.
  let evaluations: Double
  let iterations: Int

  init(_ plan: AlignmentPlan, _ speed: ModelSpeed) {
    self.speed = speed
    iterations = plan.stages.reduce(0) { $0 + $1.iterations.count }
    let count = Double(max(iterations, 1))
    rollout = Double(plan.totalRolloutCalls) * speed.secondsForward / count
    update = Double(plan.totalUpdateCalls) * speed.secondsTrained / count
    evaluations = Double(plan.totalEvaluationCalls) * speed.secondsForward
  }

  var iteration: Double { rollout + update }
  var run: Double { Double(iterations) * iteration + evaluations }

  var lines: [String] {
    let how =
      speed.isMeasured
      ? "measured: a forward and a backward pass of a model of this size on this machine"
      : "estimated from a part of the model, because the whole one is too large to try"
    let withEvaluations = evaluations > 0 ? ", evaluations \(spokenDuration(evaluations)) of it" : ""
    return [
      "iteration     about \(spokenDuration(iteration)): rollout \(spokenDuration(rollout)), update \(spokenDuration(update))",
      "run           about \(spokenDuration(run))\(withEvaluations); rewards and pictures are not included",
      "              (\(how))",
    ]
  }

  var json: JSONObject {
    [
      "iteration": .measurement(iteration), "rollout": .measurement(rollout), "update": .measurement(update),
      "evaluations": .measurement(evaluations), "run": .measurement(run), "measured": .bool(speed.isMeasured),
    ]
  }
}
