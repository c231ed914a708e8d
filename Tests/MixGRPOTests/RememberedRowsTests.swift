import MixFlowModel
import MixGRPO
import Testing

/// What a rollout leaves for its update saves work and changes no bit.
@Suite struct RememberedRowsTests {
  /// Iterations in which the update either finds the rollout's activations or, as weights were written meanwhile, does not.
  private func run(
    isDisturbed: Bool, threads: Int = 2, recomputes: Bool = false, rewards: (Int, [Double]) -> [Double] = { $1 },
    sampling: SamplingConfiguration = TinyRun.configuration(), maxBatch: Int = 8,
    precision: Precision = .float32
  ) throws -> (weights: [Float], recalled: [Int]) {
    let run = try TinyRun(
      threads: threads, maxBatch: maxBatch, recomputes: recomputes, precision: precision, sampling: sampling)
    let (evaluator, model) = (run.trainer.evaluator, run.trainer.evaluator.model)
    var recalled: [Int] = []
    for iteration in 0..<3 {
      let samples = try run.trainer.rollout(prompts: run.prompts)
      if isDisturbed {
        let bias = try model.parameter(named: "proj_out.bias")
        var values = [Float](repeating: 0, count: bias.count)
        model.readWeights(bias, into: &values)
        model.writeWeights(bias, from: values)
      }
      let before = evaluator.recalledRows
      let metrics = try run.trainer.update(rewards: [rewards(iteration, run.brightness(samples))])
      #expect(metrics.policy.firstRatioMin == 1 && metrics.policy.firstRatioMax == 1)
      recalled.append(evaluator.recalledRows - before)
    }
    return (run.weights, recalled)
  }

  // Two prompts, the first three members of each, three steps, the first of them shared: 2 + 6 + 6 rows.
  @Test(arguments: Precision.allCases, [8, 14, 20])
  func anUpdateTakesWhatItsRolloutComputed(precision: Precision, maxBatch: Int) throws {
    let known = try run(isDisturbed: false, maxBatch: maxBatch, precision: precision)
    let again = try run(isDisturbed: true, maxBatch: maxBatch, precision: precision)
    #expect(known.recalled == Array(repeating: min(maxBatch, 14), count: 3))
    #expect(again.recalled == [0, 0, 0])
    #expect(known.weights == again.weights)
  }

  @Test(arguments: Precision.allCases) func updateMatchesUnsharedSingleThreadedRecomputedRun(precision: Precision) throws {
    let apart = TinyRun.configuration { $0.exactSharing = false }
    let known = try run(isDisturbed: false, threads: 1, recomputes: true, sampling: apart, maxBatch: 18, precision: precision)
    #expect(known.recalled == [18, 18, 18])
    let again = try run(isDisturbed: true, sampling: apart, maxBatch: 18, precision: precision)
    #expect(again.weights == known.weights)
  }

  @Test func rowsThatMoveUpAreComputedAgain() throws {
    // Without its first member, the second row of the second trained step is another one from there on.
    func failed(_ iteration: Int, _ rewards: [Double]) -> [Double] {
      var rewards = rewards
      if iteration == 1 { rewards[0] = .nan }
      return rewards
    }
    let known = try run(isDisturbed: false, rewards: failed, maxBatch: 14)
    let again = try run(isDisturbed: true, rewards: failed, maxBatch: 14)
    #expect(known.recalled[0] == 14 && known.recalled[1] == 2 && known.recalled[2] == 14)
    #expect(known.weights == again.weights)
  }

  @Test func otherInputsAreNotMistakenForRememberedOnes() throws {
    let run = try TinyRun(maxBatch: 4)
    let (evaluator, prompts) = (run.trainer.evaluator, run.trainer.prompts)
    let size = evaluator.latentSize
    var latents = (0..<2 * size).map { Float($0 % 11) * 0.1 - 0.5 }
    var (sigmas, numbers): ([Float], [Int32]) = ([0.5, 0.25], [0, 1])
    var velocity = [Float](repeating: 0, count: 2 * size)
    func remember() throws {
      try VelocityRequest.withArrays(latents: latents, sigmas: sigmas, promptIndex: numbers) { request in
        let places: [Int32] = [1, 0]
        try places.withUnsafeBufferPointer { places in
          let keep = KeptActivations.rows(places: try #require(places.baseAddress), capacity: 2)
          _ = try evaluator.velocity(request, prompts, keep: keep, into: &velocity)
        }
      }
    }
    /// Rows that were recalled for the two rows in turned order.
    func recalled() throws -> Int {
      let (turned, before) = (Array(latents[size...] + latents[..<size]), evaluator.recalledRows)
      var (answer, fresh) = (velocity, velocity)
      return try VelocityRequest.withArrays(latents: turned, sigmas: sigmas.reversed(), promptIndex: numbers.reversed()) {
        try evaluator.velocity($0, prompts, keep: .all, into: &answer)
        let count = evaluator.recalledRows - before
        try evaluator.velocity($0, prompts, into: &fresh)
        #expect(answer == fresh)
        return count
      }
    }
    try remember()
    #expect(try recalled() == 2)
    #expect(try recalled() == 0)  // used up
    try remember()
    latents[3] = latents[3].nextUp
    #expect(try recalled() == 1)
    try remember()
    sigmas[1] = 0.375
    #expect(try recalled() == 1)
    try remember()
    numbers[0] = 2
    #expect(try recalled() == 1)
    try remember()
    let bias = try evaluator.model.parameter(named: "proj_out.bias")
    evaluator.model.writeWeights(bias, from: [Float](repeating: 0.5, count: bias.count))
    #expect(try recalled() == 0)
  }
}
