import ArgumentParser
import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How the model is trained.
struct TrainingOptions: ParsableArguments {
  @Option(help: "Optimizer steps.") var steps = 1200
  @Option(help: "Pictures per step.") var batch = 64
  @Option(help: "Highest rate of AdamW.") var learningRate = 1e-3
  @Option(help: "Steps over which the rate rises to its highest; it falls along a cosine after them.") var warmup = 60
  @Option(help: "The rate at the last step, as a share of the highest.") var finalRate = 0.0
  @Option(help: "Decoupled weight decay of AdamW.") var weightDecay = 0.0
  @Option(help: "Shift of the noise levels towards noise; 1 for none.") var shift = 3.0
  @Option(help: "Seed of weights, pictures and noise.") var seed: UInt64 = 0
  @Option(help: "Worker threads; 0 for one per core.") var threads = 0

  func validate() throws {
    for (name, value) in [("steps", steps), ("batch", batch)] where value < 1 {
      throw ValidationError("--\(name): expected at least 1, got \(value)")
    }
    guard threads >= 0 else { throw ValidationError("--threads: expected at least 0, got \(threads)") }
  }

  func context() throws -> RunContext {
    try RunContext(threads: threads)
  }

  var optimizer: AdamWConfiguration {
    var optimizer = AdamWConfiguration()
    optimizer.learningRate = learningRate
    optimizer.schedule = LearningRateSchedule(
      .cosine(totalSteps: steps, minimumFraction: finalRate), warmupSteps: warmup)
    optimizer.weightDecay = weightDecay
    return optimizer
  }

  var pretraining: PretrainingConfiguration {
    var configuration = PretrainingConfiguration()
    configuration.optimizer = optimizer
    configuration.shift = shift
    configuration.seed = seed
    return configuration
  }
}
