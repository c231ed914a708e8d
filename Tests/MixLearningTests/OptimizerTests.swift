import MixBasics
import MixNumerics
import TestSupport
import Testing

@testable import MixLearning

@Suite struct OptimizerTests {
  private func configuration(_ change: (inout AdamWConfiguration) -> Void = { _ in }) -> AdamWConfiguration {
    var configuration = AdamWConfiguration()
    configuration.learningRate = 0.01
    configuration.weightDecay = 0.1
    change(&configuration)
    return configuration
  }

  /// Weights and norms of PyTorch 2.13:
  ///
  ///     w = torch.tensor([0.5, -1.25, 2.0, 0.0], requires_grad=True)
  ///     opt = torch.optim.AdamW([w], lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
  ///     for row in gradients:
  ///         w.grad = torch.tensor(row)
  ///         norm = torch.nn.utils.clip_grad_norm_([w], 1.0)
  ///         opt.step()
  @Test func stepsAreThoseOfPyTorch() throws {
    let gradients: [[Float]] = [[0.1, -0.2, 0.3, 0], [0.5, 0.4, -3, 1e-4], [-0.05, 0, 0.2, -1e-4]]
    let expected: [[Float]] = [
      [0.4895000159740448, -1.2387499809265137, 1.9880000352859497, 0],
      [0.47916412353515625, -1.2359646558761597, 1.9911624193191528, -0.007438141852617264],
      [0.4729384779930115, -1.2335331439971924, 1.991852045059204, -0.0031395726837217808],
    ]
    let norms = [0.37416577339172363, 3.0675723552703857, 0.20615531504154205]
    var weights: [Float] = [0.5, -1.25, 2, 0]
    let optimizer = try AdamW(count: 4, configuration: configuration())
    for step in 0..<3 {
      let report = try optimizer.step(weights: &weights, gradients: gradients[step], workers: Workers(threads: 1))
      #expect(report.step == step + 1 && report.learningRate == 0.01)
      #expect(abs(report.gradientNorm - norms[step]) <= 1e-6)
      #expect(weights.count == expected[step].count)
      for (found, value) in zip(weights, expected[step]) { #expect(abs(found - value) <= 2e-7) }
    }
  }

  @Test func aStepThatClearsIsTheSameStep() throws {
    let count = 40_000
    var (kept, gradients) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    RandomStream(seed: 1, purpose: .host).fillNormals(&kept, count: count)
    RandomStream(seed: 2, purpose: .host).fillNormals(&gradients, count: count)
    var cleared = kept
    try AdamW(count: count, configuration: configuration()).step(
      weights: &kept, gradients: gradients, workers: Workers(threads: 2))
    try AdamW(count: count, configuration: configuration()).step(
      weights: &cleared, clearing: &gradients, workers: Workers(threads: 2))
    #expect(kept.elementsEqual(cleared))
    #expect(gradients.allSatisfy { $0 == 0 })

    gradients[count - 1] = .nan
    gradients[0] = 3
    let code = try errorCode {
      try AdamW(count: count).step(weights: &cleared, clearing: &gradients, workers: Workers(threads: 2))
    }
    #expect(code == .notFinite)
    #expect(gradients[0] == 3 && kept.elementsEqual(cleared))
  }

  @Test func momentsArePromisedUntilTheFirstStepOrARestore() throws {
    let count = 1 << 21
    let (stepped, restored) = (try AdamW(count: count), try AdamW(count: count))
    #expect(stepped.firstMoment.promised > 0 && restored.secondMoment.promised > 0)
    var weights = [Float](repeating: 0, count: count)
    try stepped.step(weights: &weights, gradients: weights, workers: Workers(threads: 1))
    restored.stepCount = 3
    for optimizer in [stepped, restored] {
      #expect(optimizer.firstMoment.promised == 0 && optimizer.secondMoment.promised == 0)
    }
  }

  @Test func resultsDoNotDependOnThreads() throws {
    func run(_ threads: Int) throws -> ([Float], Double) {
      let count = 100_003
      var (weights, gradients) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
      RandomStream(seed: 1, purpose: .host).fillNormals(&weights, count: count)
      RandomStream(seed: 2, purpose: .host).fillNormals(&gradients, count: count)
      let optimizer = try AdamW(count: count, configuration: configuration())
      var norm = 0.0
      for _ in 0..<3 {
        norm = try optimizer.step(weights: &weights, gradients: gradients, workers: Workers(threads: threads)).gradientNorm
      }
      return (weights, norm)
    }
    let single = try run(1)
    #expect(try run(3) == single)
    #expect(abs(single.1 - 316.2) <= 3)  // √100003 within its spread
  }

  @Test(arguments: [Float.nan, .infinity])
  func aGradientThatIsNotFiniteChangesNothing(bad: Float) throws {
    try expectUntouched(gradients: [1, bad, 1]) { _ in }
  }

  @Test func anOverflowingWeightChangesNothing() throws {
    try expectUntouched(weights: [1, 2, .greatestFiniteMagnitude], gradients: [0.1, 0.1, -0.1]) {
      $0.learningRate = 1000
      $0.weightDecay = 1000
    }
  }

  @Test func anOverflowingMomentChangesNothing() throws {
    try expectUntouched(gradients: [1, 3e38, 1]) { $0.maximumGradientNorm = .infinity }
  }

  @Test func stepsThatRestOnBoundsAreTheSameSteps() throws {
    let count = 20_000
    let looking = try AdamW(count: count, configuration: configuration())
    let trusting = try AdamW(count: count, configuration: configuration())
    var weights = [Float](repeating: 0, count: count)
    RandomStream(seed: 1, purpose: .host).fillNormals(&weights, count: count)
    var others = weights
    for step in 0..<5 {
      var gradients = [Float](repeating: 0, count: count)
      RandomStream(seed: UInt64(step), purpose: .host).fillNormals(&gradients, count: count)
      try looking.step(weights: &weights, gradients: gradients, workers: Workers(threads: 2))
      try trusting.step(weights: &others, clearing: &gradients, versions: (step, step + 1), workers: Workers(threads: 2))
    }
    #expect(looking.checks == 5 && trusting.checks == 1)
    #expect(weights == others)
    #expect(Array(looking.secondMoment.buffer) == Array(trusting.secondMoment.buffer))
  }

  @Test func aBoundThatMayBeTooLargeIsLookedAt() throws {
    let optimizer = try AdamW(count: 3, configuration: configuration { ($0.learningRate, $0.weightDecay) = (1000, 1000) })
    var (weights, left): ([Float], [Float]) = ([1, 2, 3], [])
    var refused: MixGRPOError?
    for step in 0..<12 where refused == nil {
      left = weights
      var gradients: [Float] = [0.1, 0.2, 0.3]
      refused = failure {
        try optimizer.step(weights: &weights, clearing: &gradients, versions: (step, step + 1), workers: Workers(threads: 1))
      }
    }
    // A factor of −10⁶ a step: 3·10³⁶ is the last that single precision holds.
    #expect(refused?.code == .notFinite && optimizer.stepCount == 6)
    #expect(weights == left && weights.allSatisfy(\.isFinite))
  }

  @Test func aSmallGradientHasASmallBound() throws {
    // A step moves a weight by at most learning rate · gradient / ε = 5·10²⁹, which is below the limit of 10³⁰.
    let settings = configuration { ($0.learningRate, $0.beta1, $0.epsilon) = (1, 0, 2e-31) }
    let optimizer = try AdamW(count: 1, configuration: settings)
    var weights: [Float] = [1]
    for step in 0..<2 {
      var gradients: [Float] = [0.1]
      try optimizer.step(weights: &weights, clearing: &gradients, versions: (step, step + 1), workers: Workers(threads: 1))
    }
    #expect(optimizer.checks == 1)
  }

  @Test func weightsWrittenBetweenTwoStepsAreLookedAt() throws {
    let optimizer = try AdamW(count: 3, configuration: configuration { ($0.learningRate, $0.weightDecay) = (1000, 1000) })
    var (weights, gradients): ([Float], [Float]) = ([1, 2, 3], [0.1, 0.2, 0.3])
    try optimizer.step(weights: &weights, clearing: &gradients, versions: (0, 1), workers: Workers(threads: 1))
    (weights, gradients) = ([1, 2, .greatestFiniteMagnitude], [0.1, 0.2, 0.3])
    let error = failure {
      try optimizer.step(weights: &weights, clearing: &gradients, versions: (2, 3), workers: Workers(threads: 1))
    }
    #expect(error?.code == .notFinite && weights == [1, 2, .greatestFiniteMagnitude])
  }

  private func expectUntouched(
    weights start: [Float] = [1, 2, 3], gradients: [Float], _ change: (inout AdamWConfiguration) -> Void
  ) throws {
    let optimizer = try AdamW(count: 3, configuration: configuration(change))
    var weights: [Float] = [0.5, 0.5, 0.5]
    let workers = Workers(threads: 1)
    try optimizer.step(weights: &weights, gradients: [0.1, 0.2, 0.3], workers: workers)
    let moments = Array(optimizer.firstMoment.buffer) + Array(optimizer.secondMoment.buffer)
    weights = start
    let error = failure { try optimizer.step(weights: &weights, gradients: gradients, workers: workers) }
    #expect(error?.code == .notFinite)
    #expect(weights == start && optimizer.stepCount == 1)
    #expect(Array(optimizer.firstMoment.buffer) + Array(optimizer.secondMoment.buffer) == moments)
  }

  @Test func theNormIsClippedToItsMaximum() throws {
    #expect(GradientNorm.clipFactor(norm: 0.5, maximum: 1) == 1)
    #expect(abs(GradientNorm.clipFactor(norm: 4, maximum: 1) - 0.25) <= 1e-6)
    #expect(GradientNorm.clipFactor(norm: 1e30, maximum: .infinity) == 1)
    #expect(GradientNorm.clipFactor(norm: 0, maximum: 1) == 1)
    let norm = try GradientNorm(count: 2)
    #expect(norm.norm(of: [3e38, 2e38], workers: Workers(threads: 1)) <= 4e38)
  }

  @Test func theScheduleRisesThenFallsAsACosine() throws {
    let schedule = LearningRateSchedule(.cosine(totalSteps: 12, minimumFraction: 0.2), warmupSteps: 4)
    #expect((0..<4).map(schedule.fraction(step:)) == [0.25, 0.5, 0.75, 1])
    #expect(schedule.fraction(step: 4) == 1)
    #expect(abs(schedule.fraction(step: 8) - 0.6) <= 1e-12)
    #expect(schedule.fraction(step: 12) == 0.2 && schedule.fraction(step: 1000) == 0.2)
    #expect(LearningRateSchedule().fraction(step: 7) == 1)
    #expect(LearningRateSchedule(.constant, warmupSteps: 2).fraction(step: 0) == 0.5)
  }

  @Test func aWarmUpAsLongAsTheScheduleEndsAtTheMinimum() {
    let schedule = LearningRateSchedule(.cosine(totalSteps: 4, minimumFraction: 0.2), warmupSteps: 4)
    #expect((3...5).map(schedule.fraction(step:)) == [1, 0.2, 0.2])
  }

  @Test func theAverageFollowsTheWeights() throws {
    let average = try [1, 2].withUnsafeBufferPointer { try ExponentialMovingAverage(decay: 0.75, weights: $0) }
    average.update(weights: [5, -2], workers: Workers(threads: 1))
    #expect(Array(average.average.buffer) == [2, 1])
    #expect(failure { _ = try [1].withUnsafeBufferPointer { try ExponentialMovingAverage(decay: 1.5, weights: $0) } } != nil)
  }

  @Test(arguments: [(0.0, [5, -2]), (1, [1, 2])] as [(Double, [Float])])
  func theAverageMayHaveNoMemoryOrNeverChange(decay: Double, expected: [Float]) throws {
    let average = try [1, 2].withUnsafeBufferPointer { try ExponentialMovingAverage(decay: decay, weights: $0) }
    average.update(weights: [5, -2], workers: Workers(threads: 1))
    #expect(Array(average.average.buffer) == expected)
  }

  @Test func unfitSettingsAreErrorsThatNameEveryField() {
    let bad = configuration {
      $0.learningRate = -1
      $0.beta1 = 1
      $0.beta2 = .nan
      $0.epsilon = 0
      $0.weightDecay = .infinity
      $0.maximumGradientNorm = 0
      $0.schedule = LearningRateSchedule(.cosine(totalSteps: 5, minimumFraction: 2), warmupSteps: 5)
    }
    let message = failure { _ = try AdamW(count: 3, configuration: bad) }?.message ?? ""
    for field in [
      "learning_rate", "beta1", "beta2", "epsilon", "weight_decay", "max_gradient_norm", "total_steps", "min_rate_fraction",
    ] { #expect(message.contains(field), "\(field) is missing in \(message)") }
    #expect(failure { _ = try AdamW(count: 0) }?.message.contains("count") == true)
  }
}
