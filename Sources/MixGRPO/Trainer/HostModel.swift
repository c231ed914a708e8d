import MixBasics
import MixLearning

/// The sizes of a model that belongs to the host.
public struct HostModel: Equatable, Sendable {
  /// Number of prompts, 1…2³¹ − 1; prompt indices are 0, 1, …
  public let prompts: Int
  /// D, the number of values in one latent, 1…1000000000.
  public let latentSize: Int
  /// Maximum number of latents in one request; 0 (the default) for no limit. Results do not depend on it.
  public let maxBatch: Int

  /// Values are validated by the trainer.
  public init(prompts: Int, latentSize: Int, maxBatch: Int = 0) {
    (self.prompts, self.latentSize, self.maxBatch) = (prompts, latentSize, maxBatch)
  }

  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require((1...Int(Int32.max)).contains(prompts), "prompt_count", expected: "1…\(Int32.max)", got: prompts)
    check.require((1...1_000_000_000).contains(latentSize), "latent_size", expected: "1…1000000000", got: latentSize)
    check.require((0...Int(Int32.max)).contains(maxBatch), "max_batch", expected: "0 (no limit) or more", got: maxBatch)
    try check.throwIfAny()
  }
}

extension LearningConfiguration {
  /// Settings that a host's own optimizer ignores must have their defaults.
  func requireOwnOptimizer() throws(MixGRPOError) {
    let (usual, text) = (AdamWConfiguration(), "the default, because the host's optimizer does not use it")
    var check = Validation()
    func same<Value: Equatable>(_ name: String, _ field: KeyPath<AdamWConfiguration, Value>) {
      check.require(optimizer[keyPath: field] == usual[keyPath: field], name, expected: text, got: optimizer[keyPath: field])
    }
    same("learning_rate", \.learningRate)
    same("schedule, warmup_steps, total_steps, min_rate_fraction", \.schedule)
    same("beta1", \.beta1)
    same("beta2", \.beta2)
    same("epsilon", \.epsilon)
    same("weight_decay", \.weightDecay)
    check.require(averageDecay == 0, "ema_decay", expected: "0, because the host keeps its own averages", got: averageDecay)
    try check.throwIfAny()
  }
}
