import MixBasics
import MixNumerics
import MixSampling
import Testing

@testable import MixLearning

@Suite struct UpdateTests {
  @Test(arguments: LogProbabilityForm.allCases, [0, 2])
  func firstRatioIsExactlyOne(form: LogProbabilityForm, start: Int) throws {
    let plan = try plan(start: start) {
      $0.dynamics = .coefficientPreserving(noiseLevel: 0.5)
      $0.logProbability = form
    }
    let trace = try run(makeUpdate(trajectory(plan)), step: 0.05)
    #expect(trace.metrics.firstRatioMin == 1 && trace.metrics.firstRatioMax == 1)
    #expect(trace.metrics.ratioMin < 1 || trace.metrics.ratioMax > 1)
    #expect(trace.minibatches == [0, 1, 2, 3] && trace.metrics.optimizerSteps == 4)
  }

  @Test func dVelocityCarriesTheGradientOfTheMeanLoss() throws {
    var configuration = PolicyConfiguration()
    configuration.updatesPerIteration = 1
    configuration.clipRange = 0.5
    configuration.referencePenalty = 0.1
    configuration.oldPolicyPenalty = 0.3
    configuration.stepWeighting = .noiseScale
    let trajectory = try trajectory(try plan(start: 1) { $0.logProbability = .sum }, latentSize: 5)
    func loss(_ theta: Float) throws -> Double {
      try run(makeUpdate(trajectory, configuration), theta: theta).metrics.loss
    }
    let theta: Float = 1.03125
    let h: Float = 1 / 256
    let numeric =
      try (4 * (loss(theta + h) - loss(theta - h)) - (loss(theta + 2 * h) - loss(theta - 2 * h)) / 2)
      / (6 * Double(h))
    let gradient = try run(makeUpdate(trajectory, configuration), theta: theta).gradients[0]
    #expect(abs(numeric / gradient - 1) <= 1e-3, "\(numeric) and \(gradient)")
  }

  @Test(arguments: [0, 3], [1, 4, 6])
  func sharedRowsGiveTheSameGradientWithFewerEvaluations(start: Int, minibatches: Int) throws {
    var configuration = PolicyConfiguration()
    configuration.updatesPerIteration = minibatches
    let (shared, unshared) = (try plan(start: start), try plan(start: start) { $0.exactSharing = false })
    let a = try run(makeUpdate(trajectory(shared), configuration), theta: 1.001)
    let b = try run(makeUpdate(trajectory(unshared), configuration), theta: 1.001)
    #expect(a.metrics.evaluations == shared.trainingEvaluations(prompts: 2, minibatches: minibatches))
    #expect(b.metrics.evaluations == unshared.trainingEvaluations(prompts: 2, minibatches: minibatches))
    #expect(a.metrics.evaluations < b.metrics.evaluations || minibatches == 6)
    #expect(a.metrics.loss == b.metrics.loss && a.metrics.ratioMin == b.metrics.ratioMin)
    #expect(a.gradients.count == b.gradients.count)
    for (x, y) in zip(a.gradients, b.gradients) { #expect(abs(x - y) <= 1e-5 * abs(y) + 1e-9) }
  }

  @Test(arguments: [1, 2, 5], [1, 3])
  func neitherBatchLimitNorThreadsChangeABit(limit: Int, threads: Int) throws {
    var configuration = PolicyConfiguration()
    configuration.referencePenalty = 0.1
    let trajectory = try trajectory(try plan())
    let expected = try run(makeUpdate(trajectory, configuration), step: 0.01)
    #expect(try run(makeUpdate(trajectory, configuration, maxBatch: limit, threads: threads), step: 0.01) == expected)
  }

  @Test func aMinibatchHasTheSameMembersOfEveryGroup() throws {
    // G = 6 in four minibatches: members 0 | 1, 2 | 3 | 4, 5
    let update = try makeUpdate(try trajectory(try plan(start: 2)))
    var members: [[Int32]] = [[], [], [], []]
    loop: while true {
      switch update.next() {
      case .evaluate(let request):
        #expect(Array(request.stepOfRow) == Array(request.stepOfRow).sorted() && request.needsReference == false)
        for row in 0..<request.count where request.stepOfRow[row] == 3 {
          members[request.minibatch].append(request.sampleOfRow[row])
          #expect(request.promptIndex[row] == (request.sampleOfRow[row] < 6 ? 0 : 5))
        }
        try update.submit(velocity: answer(request, theta: 1).velocity, count: request.velocityCount)
      case .optimizerStep: continue
      case .finished: break loop
      }
    }
    #expect(members == [[0, 6], [1, 2, 7, 8], [3, 9], [4, 5, 10, 11]])
  }

  @Test func excludedSamplesCostNothingAndDoNotCount() throws {
    var configuration = PolicyConfiguration()
    configuration.updatesPerIteration = 3
    let trajectory = try trajectory(try plan())
    // Part 1 (members 2 and 3) has nothing left; part 2 lost one sample.
    var isIncluded = [Bool](repeating: true, count: 12)
    for sample in [2, 3, 8, 9, 4] { isIncluded[sample] = false }
    let trace = try run(makeUpdate(trajectory, configuration, isIncluded: isIncluded))
    #expect(trace.minibatches == [0, 2])
    // Part 0: 2 shared rows and 4·2 own; part 2: 2 shared and 3·2 own.
    #expect(trace.metrics.evaluations == 10 + 8 && trace.metrics.terms == (4 + 3) * 3)
    let none = try run(makeUpdate(trajectory, configuration, isIncluded: [Bool](repeating: false, count: 12)))
    #expect(none.minibatches.isEmpty && none.metrics.evaluations == 0 && none.metrics.loss.isNaN)
  }

  @Test func stepWeightsHaveMeanOneAndFollowTheNoise() throws {
    var weighted = PolicyConfiguration()
    weighted.updatesPerIteration = 1
    let trajectory = try trajectory(try plan { $0.dynamics = .dance(noiseLevel: 0.5) })
    let plain = try run(makeUpdate(trajectory, weighted))
    weighted.stepWeighting = .noiseScale
    let found = try run(makeUpdate(trajectory, weighted))
    let scales = trajectory.plan.trainedSteps.map { trajectory.plan.transitions[$0].noiseScale }
    let mean = scales.reduce(0, +) / 3
    #expect(abs(found.metrics.loss - plain.metrics.loss) <= 1e-12)  // ratios are 1, so the weights average out
    // Rows of the last step come last: 12 samples of 29 values.
    let count = 12 * 29
    #expect(found.dVelocity.count == plain.dVelocity.count && plain.dVelocity.count >= count)
    for (a, b) in zip(found.dVelocity.suffix(count), plain.dVelocity.suffix(count)) {
      #expect(abs(Double(a) - Double(b) * scales[2] / mean) <= 1e-6 * abs(Double(b)) + 1e-12)
    }
  }

  @Test func onlyARandomSubsetOfAllStepsIsTrained() throws {
    let plan = try plan { $0.windowMode = .all(.randomSubset(0.6)) }
    let trajectory = try trajectory(plan)
    let trace = try run(makeUpdate(trajectory))
    #expect(plan.trainedSteps.count == 4 && trace.metrics.terms == 12 * 4)
    #expect(trace.metrics.firstRatioMin == 1 && trace.metrics.firstRatioMax == 1)
    #expect(trace.metrics.evaluations == plan.trainingEvaluations(prompts: 2, minibatches: 4))
  }

  @Test func restartBeginsAnew() throws {
    let update = try makeUpdate(try trajectory(try plan()))
    let first = try run(update, step: 0.01)
    update.restart()
    #expect(try run(update, step: 0.01) == first)
  }

  @Test func meansAreThoseOverAllTerms() throws {
    var configuration = PolicyConfiguration()
    configuration.updatesPerIteration = 1
    configuration.referencePenalty = 0.1
    let trajectory = try trajectory(try plan())
    let still = try run(makeUpdate(trajectory, configuration)).metrics
    #expect(still.ratioMin == 1 && still.ratioMax == 1 && still.terms == 36 && still.referenceNats > 0)
    let moved = try run(makeUpdate(trajectory, configuration), theta: 1.01).metrics
    #expect(moved.ratioMin < moved.ratioMax)
    #expect(moved.oldPolicyNats > still.oldPolicyNats && moved.clippedFraction > 0 && moved.clippedFraction < 1)
    // θ = 0.9 is the reference: the distance grows with (θ − 0.9)².
    #expect(abs(moved.referenceNats / still.referenceNats - 1.21) <= 0.01)
    // From the old policy's θ = 1 it is (0.01 / 0.11)² of that.
    #expect(abs(moved.oldPolicyNats / moved.referenceNats * 121 - 1) <= 0.02)
  }

  @Test func anAbandonedMinibatchLeavesNoStepNoRequestAndNoFigure() throws {
    let trajectory = try trajectory(try plan())
    let update = try makeUpdate(trajectory, maxBatch: 2)
    var (isLast, stepped, evaluated) = ([Bool](), [Int](), [Int]())
    loop: while true {
      switch update.next() {
      case .evaluate(let request):
        evaluated.append(request.minibatch)
        try update.submit(velocity: answer(request, theta: 1).velocity, count: request.velocityCount)
        if request.minibatch == 1 {
          isLast.append(update.isInLastMinibatch)
          update.abandonMinibatch()
        }
      case .optimizerStep(let minibatch):
        isLast.append(update.isInLastMinibatch)
        stepped.append(minibatch)
      case .finished: break loop
      }
    }
    #expect(stepped == [0, 2, 3] && isLast == [false, false, false, true] && update.minibatchCount == 4)
    #expect(evaluated.filter { $0 == 1 }.count == 1 && evaluated == evaluated.sorted())
    // Minibatches 0, 2 and 3 have 1 + 1 + 2 members of 2 groups, each with 3 trained steps.
    #expect(update.metrics.terms == 4 * 2 * 3 && update.metrics.optimizerSteps == 3)
  }

  @Test func aRequestThatWaitsIsMadeAgainWhenRequestsBecomeSmaller() throws {
    let trajectory = try trajectory(try plan())
    let update = try makeUpdate(trajectory)
    #expect(try nextRequest(of: update).count > 1)
    try update.limitRequests(to: 1)
    #expect(try nextRequest(of: update).count == 1)
    #expect(try run(update) == run(makeUpdate(trajectory)))
  }

  @Test func aRunCanStartAtTheBeginningOrWhereTheLastOneWasInterrupted() throws {
    let update = try makeUpdate(try trajectory(try plan()), maxBatch: 2)
    #expect(update.isAtStartOfRun)
    func submitOne() throws {
      let request = try nextRequest(of: update)
      try update.submit(velocity: answer(request, theta: 1).velocity, count: request.velocityCount)
    }
    try submitOne()
    #expect(!update.isAtStartOfRun)
    update.restartMinibatch()
    try update.limitRequests(to: 1)  // not interrupted: no step has been done
    #expect(update.isAtStartOfRun)
    #expect(try nextRequest(of: update).count == 1)
    while case .evaluate(let request) = update.next() {
      try update.submit(velocity: answer(request, theta: 1).velocity, count: request.velocityCount)
    }
    try submitOne()
    #expect(!update.isAtStartOfRun)
    update.restartMinibatch()
    #expect(update.isAtStartOfRun && update.metrics.optimizerSteps == 1)
    _ = update.next()
    #expect(!update.isAtStartOfRun)
  }

  private func nextRequest(of update: Update) throws -> VelocityRequest {
    guard case .evaluate(let request) = update.next() else { throw MixGRPOError(.invalidState, "expected a request") }
    return request
  }

  // MARK: Bad input

  @Test func aFaultInTheLastRowIsSeen() throws {
    let update = try makeUpdate(try trajectory(try plan()))
    let request = try nextRequest(of: update)
    var velocity = answer(request, theta: 1).velocity
    velocity[velocity.count - 1] = .nan
    let error = failure { try update.submit(velocity: velocity, count: velocity.count) }
    #expect(error?.code == .notFinite && error?.message.contains("row \(request.count - 1)") == true)
  }

  @Test func aVelocityThatIsNotFiniteMayBeSubmittedAgain() throws {
    var configuration = PolicyConfiguration()
    configuration.referencePenalty = 0.2
    let trajectory = try trajectory(try plan())
    let expected = try run(makeUpdate(trajectory, configuration))
    let update = try makeUpdate(trajectory, configuration)
    guard case .evaluate(let request) = update.next() else {
      Issue.record("expected a request")
      return
    }
    let good = answer(request, theta: 1)
    var bad = good
    bad.velocity[3 * 29] = .nan
    bad.reference[2 * 29] = -.infinity
    let first = failure { try update.submit(velocity: bad.velocity, reference: good.reference, count: good.0.count) }
    #expect(first?.code == .notFinite && first?.message.contains("row 3") == true)
    let second = failure { try update.submit(velocity: good.velocity, reference: bad.reference, count: good.0.count) }
    #expect(second?.code == .notFinite && second?.message.contains("row 2") == true)
    #expect(update.metrics.terms == 0 && update.metrics.evaluations == 0)
    #expect(try run(update) == expected)
  }

  @Test func callsOutOfOrderAreErrors() throws {
    var configuration = PolicyConfiguration()
    configuration.referencePenalty = 1
    let update = try makeUpdate(try trajectory(try plan()), configuration)
    let zeros = [Float](repeating: 0, count: 5000)
    #expect(failure { try update.submit(velocity: zeros, count: 29) }?.code == .invalidState)
    guard case .evaluate(let request) = update.next() else {
      Issue.record("expected a request")
      return
    }
    #expect(request.needsReference)
    #expect(failure { try update.submit(velocity: zeros, reference: zeros, count: 1) }?.code == .invalidArgument)
    let error = failure { try update.submit(velocity: zeros, count: request.velocityCount) }
    #expect(error?.message.contains("reference") == true)
  }

  @Test func unfitInputIsAnErrorThatNamesEveryField() throws {
    let trajectory = try trajectory(try plan())
    var configuration = PolicyConfiguration()
    configuration.clipRange = 0
    configuration.updatesPerIteration = 7
    configuration.referencePenalty = -1
    configuration.oldPolicyPenalty = .nan
    let error = failure {
      _ = try Update(
        trajectory: trajectory, advantages: [.nan], isIncluded: [], configuration: configuration, maxBatch: -1,
        workers: Workers(threads: 1))
    }
    for field in [
      "clip_range", "updates_per_iteration", "kl_reference", "kl_old", "advantages", "included", "max_batch",
    ] {
      #expect(error?.message.contains(field) == true, "\(field) is missing in \(error?.message ?? "")")
    }
  }

  @Test func aTrajectoryWithoutTrainedStepsCannotBeTrained() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 4, shift: 1), samplesPerPrompt: 6)
    let trajectory = try trajectory(plan)
    #expect(failure { _ = try makeUpdate(trajectory) }?.message.contains("trained steps") == true)
  }
}
