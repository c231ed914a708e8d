import Foundation
import Testing

@testable import MixGRPO

/// Cancels from a thread of its own and returns when it has.
private func cancelElsewhere(_ context: RunContext) {
  let thread = Thread { context.cancel() }
  thread.start()
  while !context.isCancelled { sched_yield() }
}

@Suite struct CancelTests {
  /// Runs `call` undisturbed, then cancelled before it begins and after each of its reports but the last, when nothing is left to
  /// stop. `state` must be the same after every call that was stopped, and no model call may follow a cancel.
  private func checkEveryMoment<State: Equatable>(
    of run: TinyRun, state: () -> State, _ call: (_ report: (Int, Int) -> Void) throws -> Void
  ) throws {
    var reports = 0
    try call { _, _ in reports += 1 }
    #expect(reports >= 4)
    let before = state()
    for moment in 0..<reports {
      var seen = 0
      if moment == 0 { cancelElsewhere(run.context) }
      let error = #expect(throws: MixGRPOError.self) {
        try call { _, _ in
          seen += 1
          if seen == moment { cancelElsewhere(run.context) }
        }
      }
      let isSame = state() == before
      #expect(error?.code == .cancelled && seen == moment && isSame, "cancelled after report \(moment)")
      run.context.resetCancel()
    }
  }

  @Test func aRolloutStopsAtEveryModelCall() throws {
    let run = try TinyRun()
    try checkEveryMoment(of: run, state: { run.weights }) { report in
      _ = try run.trainer.rollout(prompts: [0, 1], progress: report)
    }
    let undisturbed = try TinyRun()
    try withExtendedLifetime((run, undisturbed)) {  // the samples are views into memory of the trainers
      let samples = try Array(run.trainer.rollout(prompts: [0, 1]))
      #expect(try samples == Array(undisturbed.trainer.rollout(prompts: [0, 1])))
    }
  }

  @Test func samplingStopsAtEveryModelCallAndAPendingRolloutStays() throws {
    let run = try TinyRun()
    let plan = try SamplingPlan.deterministic(.shifted(steps: 4, shift: 3), samplesPerPrompt: 3, seed: 1)
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    try checkEveryMoment(of: run, state: { run.weights }) { report in
      _ = try run.trainer.sample(plan, chosen: [0, 2], progress: report)
    }
    try run.trainer.update(rewards: [rewards])
    let undisturbed = try TinyRun()
    try undisturbed.iterate()
    #expect(run.weights == undisturbed.weights)
  }

  /// An update that is cancelled after `moment` reports: how many there were, and its error.
  private func update(_ run: TinyRun, _ rewards: [Double], cancelledAfter moment: Int) -> (reports: Int, error: MixGRPOError?) {
    var reports = 0
    if moment == 0 { cancelElsewhere(run.context) }
    do throws(MixGRPOError) {
      try run.trainer.update(rewards: [rewards]) { _, _ in
        reports += 1
        if reports == moment { cancelElsewhere(run.context) }
      }
    } catch { return (reports, error) }
    return (reports, nil)
  }

  /// After the last report too: the optimizer steps that follow it are undone.
  @Test func anUpdateStopsAtEveryModelCallAndLeavesAllAsItWas() throws {
    let run = try TinyRun(learning: TinyRun.learning { $0.averageDecay = 0.9 })
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let before = run.weights
    var moment = 0
    while moment < 1_000 {
      let (reports, error) = update(run, rewards, cancelledAfter: moment)
      guard let error else { break }
      let isSame = run.weights == before && run.trainer.iteration == 0 && run.trainer.metrics == nil
      #expect(error.code == .cancelled && reports == moment && isSame, "cancelled after report \(moment)")
      run.context.resetCancel()
      moment += 1
    }
    #expect((6..<1_000).contains(moment))
    let undisturbed = try TinyRun(learning: TinyRun.learning { $0.averageDecay = 0.9 })
    try undisturbed.iterate()
    #expect(run.weights == undisturbed.weights)
  }

  @Test func pretrainingStopsAndLeavesModelAndGradientsAsTheyWere() throws {
    let run = try TinyRun()
    let evaluator = run.trainer.evaluator
    let pretrainer = try FlowMatchingPretrainer(
      evaluator: evaluator, configuration: PretrainingConfiguration(), context: run.context)
    let before = run.weights
    func step() throws(MixGRPOError) {
      _ = try pretrainer.step(
        latents: [Float](repeating: 0.1, count: 12 * evaluator.latentSize), prompts: run.trainer.prompts,
        promptIndex: [Int32](repeating: 1, count: 12), iteration: 0)
    }
    cancelElsewhere(run.context)
    let error = #expect(throws: MixGRPOError.self) { try step() }
    #expect(error?.code == .cancelled && run.weights == before)
    run.context.resetCancel()
    let context = run.context
    for delay in 0..<20 {
      let before = run.weights
      let thread = Thread {
        for _ in 0..<delay * 20 { sched_yield() }
        context.cancel()
      }
      thread.start()
      do throws(MixGRPOError) { try step() } catch {
        let isSame = run.weights == before
        #expect(error.code == .cancelled && isSame)
      }
      while !run.context.isCancelled { sched_yield() }
      run.context.resetCancel()
    }
    try step()
    try run.iterate()  // gradients are zero, as an update demands
  }
}
