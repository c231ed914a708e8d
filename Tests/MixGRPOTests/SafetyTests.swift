import Testing

@testable import MixGRPO

@Suite struct SafetyTests {
  private func run(_ change: @escaping (inout LearningConfiguration) -> Void) throws -> TinyRun {
    try TinyRun(learning: TinyRun.learning(change))
  }

  /// Weights grow by factors until velocities overflow in the middle of the update.
  private func explosive(_ policy: FaultPolicy) throws -> TinyRun {
    try run {
      $0.optimizer.learningRate = 1_000
      $0.optimizer.weightDecay = 1_000
      $0.policy.updatesPerIteration = 6
      $0.averageDecay = 0.5
      $0.safety.faultPolicy = policy
      $0.safety.maxVelocityChange = 0
    }
  }

  @Test func aLearningRateFarTooLargeStopsWithTheModelAsItWas() throws {
    let run = try self.run { $0.optimizer.learningRate = 1 }
    let before = run.weights
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let error = #expect(throws: MixGRPOError.self) { try run.trainer.update(rewards: [rewards]) }
    #expect(error?.code == .diverged && error?.message.contains("max_velocity_change = 1.0") == true)
    #expect(run.weights == before && run.trainer.iteration == 0)
  }

  @Test func aSoundRunIsNotTouched() throws {
    let (watched, unwatched) = (try TinyRun(), try run { $0.safety.maxVelocityChange = 0 })
    for _ in 0..<3 {
      let (metrics, other) = (try watched.iterate(), try unwatched.iterate())
      #expect(metrics.velocityChange > 0 && metrics.velocityChange < 1 && other.velocityChange.isNaN)
      #expect(!metrics.isRolledBack && metrics.skippedSteps == 0 && metrics.modelCallsUpdate == other.modelCallsUpdate)
    }
    #expect(watched.weights == unwatched.weights)
  }

  @Test func aRolledBackUpdateIsUndoneAndTheRateShrinks() throws {
    let place = try CheckpointPlace()
    func make() throws -> TinyRun {
      try self.run {
        $0.optimizer.learningRate = 1
        $0.safety.faultPolicy = .rollBack
        $0.safety.rollBackRateFactor = 0.001
      }
    }
    let run = try make()
    let before = run.weights
    let first = try run.iterate()
    #expect(first.isRolledBack && first.velocityChange > 1 && first.learningRate == 1)
    #expect(run.weights == before && run.trainer.iteration == 1)
    try run.trainer.save(folder: place.path)
    let second = try run.iterate()
    #expect(!second.isRolledBack && second.learningRate == 0.001)
    #expect(run.weights != before)
    let resumed = try make()
    try resumed.trainer.restore(folder: place.path)
    try resumed.iterate()
    #expect(resumed.weights == run.weights)
  }

  @Test func skippedStepsAreCountedAndTheRunContinues() throws {
    let run = try explosive(.skip)
    let metrics = try run.iterate()
    #expect(metrics.skippedSteps > 0 && metrics.skippedSteps < 6 && !metrics.isRolledBack)
    #expect(run.weights.allSatisfy(\.isFinite) && run.trainer.iteration == 1)
    #expect(try metrics.json.contains(#""skipped_steps":\#(metrics.skippedSteps),"rolled_back":false"#))
  }

  @Test func whatIsNotFiniteIsNeverApplied() throws {
    for policy in [FaultPolicy.stop, .rollBack] {
      let run = try explosive(policy)
      let before = run.weights
      let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
      if policy == .stop {
        let error = #expect(throws: MixGRPOError.self) { try run.trainer.update(rewards: [rewards]) }
        #expect(error?.code == .notFinite)
      } else {
        #expect(try run.trainer.update(rewards: [rewards]).isRolledBack)
      }
      #expect(run.weights == before && run.trainer.iteration == (policy == .stop ? 0 : 1))
    }
  }

  @Test func aRejectedVelocityUndoesTheUpdateAlsoWhenSkipping() throws {
    let run = try self.run {
      $0.optimizer.learningRate = 1
      $0.safety.faultPolicy = .skip
    }
    let before = run.weights
    let metrics = try run.iterate()
    #expect(metrics.isRolledBack && run.weights == before && run.trainer.iteration == 1)
    #expect(try run.iterate().learningRate == 1)
  }
}
