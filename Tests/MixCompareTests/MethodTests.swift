import ProceduralWorld
import Testing

@testable import MixCompare

struct MethodTests {
  @Test func modelCallsAreThePapers() throws {
    let size = ComparisonSize()
    let calls = try Method.allCases.map { try $0.arm(size).cost(size).calls }
    #expect(calls[..<5] == [25, 25, 25, 25, 25])
    #expect(abs(calls[5] - 16) <= 0.5)
    #expect(calls[6] == 8)
    #expect(try Method.allCases.map { try $0.arm(size).cost(size).trainedSteps } == [24, 14, 4, 4, 4, 4, 4])
  }

  @Test func sharingSavesCallsAndChangesNoOtherSetting() throws {
    let size = ComparisonSize()
    for method in Method.allCases {
      let cost = try method.arm(size).cost(size)
      #expect(cost.callsShared < cost.calls)
    }
  }

  @Test(arguments: Ablation.allCases) func armsOfAnAblationDifferInNameAndSettings(_ ablation: Ablation) throws {
    let arms = ablation.arms(ComparisonSize())
    #expect(arms.count >= 2)
    #expect(Set(arms.map(\.name)).count == arms.count)
    #expect(Set(arms.map(\.settings)).count == arms.count)
    for arm in arms { try arm.sampling.validate() }
  }

  @Test func everySettingThatIsComparedShowsInTheWords() {
    let arm = Method.mixGRPO.arm(ComparisonSize())
    let changes: [(inout Arm) -> Void] = [
      { $0.sampling.dynamics = .flow(noiseLevel: 0.5) }, { $0.sampling.windowLength = 3 }, { $0.sampling.solver = .dpmSolver3 },
      { $0.sampling.flash = FlashTail() }, { $0.sampling.groupSize = 6 }, { $0.sampling.sharedInitialNoise = false },
      { $0.learning.policy.clipRange = 1e-4 }, { $0.learning.policy.referencePenalty = 0.1 },
      { $0.learning.policy.updatesPerIteration = 2 }, { $0.learning.optimizer.learningRate = 1e-5 },
      { $0.evaluator.adapterRank = 4 },
      { $0.evaluator.precision = .bfloat16 },
    ]
    for (index, change) in changes.enumerated() {
      #expect(arm.changed("other", "other", change).settings != arm.settings, "change \(index)")
    }
  }

  @Test func theClipIsThePapersInNats() {
    let clip = Method.mixGRPO.arm(ComparisonSize()).learning.policy.clipRange
    #expect(abs(clip * 3_072 - 1e-4 * 129_600) <= 1e-9)
  }

  @Test func evaluatedScenesAreNeverTrainedOnAndShowEverything() {
    #expect(Set(World.trainingScenes).isDisjoint(with: World.evaluationScenes))
    #expect(World.trainingScenes.count == 60 && World.evaluationScenes.count == 30)
    #expect(Set(World.evaluationScenes.map(\.colour)).count == 6)
    #expect(Set(World.evaluationScenes.map(\.shape)).count == 3)
    #expect(Set(World.evaluationScenes.map(\.place)).count == 5)
  }

  @Test func sizesOutOfBoundsAreNamedTogether() {
    var size = ComparisonSize()
    size.iterations = 0
    size.steps = 2
    let error = #expect(throws: MixGRPOError.self) { try size.validate() }
    #expect(error?.message == "iterations: expected 1…100000, got 0; steps: expected 6…1000, got 2")
  }
}
