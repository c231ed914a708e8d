import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSampling
import MixSettings

extension Settings {
  /// Lines of "key = value (unit)" for the settings in force, and for what follows from them.
  func description() throws(MixGRPOError) -> String {
    var lines: [String] = []
    if let sampling {
      let record = sampling.record
      lines += self.lines(record, inForce: SamplingConfiguration.keysInForce(record))
      lines += try Self.work(sampling)
    }
    if let record = learning?.record { lines += self.lines(record, inForce: LearningConfiguration.keysInForce(record)) }
    return lines.map { $0 + "\n" }.joined()
  }

  private func lines(_ record: some SettingsRecord, inForce keys: Set<String>) -> [String] {
    record.lines().filter { keys.contains($0.path) }.map {
      "\($0.path) = \($0.value.shown)\($0.unit.isEmpty ? "" : " (\($0.unit))")"
    }
  }

  /// With windows from the host, the first window is described.
  private static func work(_ sampling: SamplingConfiguration) throws(MixGRPOError) -> [String] {
    let plan = try SamplingPlan(sampling, iteration: 0, window: sampling.windowSchedule().forecast(iteration: 0))
    let shared = Double(plan.modelCalls(prompts: 1)) / Double(plan.groupSize)
    return [
      "stochastic steps = \(plan.window.count)", "trained steps = \(plan.trainedSteps.count)",
      "model calls per image = \(plan.steps) (iteration 0, without sharing)",
      "model calls per image with sharing = \(shared) (iteration 0, mean)",
    ]
  }
}
