import MixBasics
import MixSampling
import Testing

@testable import MixLearning

@Suite struct FirstUpdateRequestTests {
  /// The places of a rollout's rows, step by step.
  private func places(_ expected: FirstUpdateRequest, _ plan: SamplingPlan) throws -> [[Int32]] {
    let rollout = try Rollout(plan: plan, prompts: [0, 5], latentSize: 3, context: RunContext(threads: 1))
    var found: [[Int32]] = []
    while let request = try rollout.next() {
      let untouched = Int32.max
      var places = [Int32](repeating: untouched, count: request.count)
      let isAny = expected.places(of: request, into: &places)
      #expect(isAny == places.contains { $0 >= 0 && $0 != untouched })
      found.append(places.filter { $0 != untouched })
      try rollout.submit(velocity: [Float](repeating: 0, count: request.velocityCount), count: request.velocityCount)
    }
    return found
  }

  /// The step and sample of each row in the first request of the update.
  private func firstRows(_ plan: SamplingPlan, minibatches: Int, maxBatch: Int) throws -> [(step: Int32, sample: Int32)] {
    var configuration = PolicyConfiguration()
    configuration.updatesPerIteration = minibatches
    let update = try makeUpdate(try trajectory(plan, latentSize: 3), configuration, maxBatch: maxBatch)
    guard case .evaluate(let request) = update.next() else { return [] }
    return (0..<request.count).map { (request.stepOfRow[$0], request.sampleOfRow[$0]) }
  }

  @Test(arguments: [(0, 1), (0, 3), (2, 1), (2, 3)], [0, 1, 4, 1000])
  func itsRowsAreThoseThatTheUpdateAsksForFirst(of: (start: Int, minibatches: Int), maxBatch: Int) throws {
    let (start, minibatches) = of
    let plan = try plan(start: start)
    let expected = try FirstUpdateRequest(plan, prompts: 2, minibatches: minibatches, maxBatch: maxBatch)
    let rows = try firstRows(plan, minibatches: minibatches, maxBatch: maxBatch)
    #expect(expected.count == rows.count && !rows.isEmpty)
    for (step, places) in try places(expected, plan).enumerated() {
      // A row of the rollout is a sample, or a group that begins with it.
      let samples: [Int32] = places.count == 2 ? [0, 6] : Array(0..<12)
      for (row, place) in places.enumerated() {
        let wanted = rows.firstIndex { $0.step == Int32(step) && $0.sample == samples[row] }
        #expect(place == wanted.map { Int32($0) } ?? -1, "step \(step), row \(row)")
      }
      #expect(!places.isEmpty == plan.trainedSteps.contains(step))
    }
  }

  @Test func withoutTrainedStepsItIsEmpty() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 4, shift: 1), samplesPerPrompt: 6)
    #expect(try FirstUpdateRequest(plan, prompts: 2, minibatches: 2, maxBatch: 0).count == 0)
  }
}
