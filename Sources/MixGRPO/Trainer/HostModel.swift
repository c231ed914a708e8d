import MixBasics
import MixLearning

/// What a trainer knows of a model that it does not own.
public struct HostModel: Equatable, Sendable {
  /// Prompts that a rollout may name, 1…2³¹ − 1: 0, 1, …
  public let prompts: Int
  /// D, the values of one latent, 1…1000000000.
  public let latentSize: Int
  /// Most latents in one request; 0 (the default) for no limit. Changes no result.
  public let maxBatch: Int

  /// Checked by the trainer that it is for.
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
  /// Settings that the optimizer of a host would not hear of must be as they come.
  func requireOwnOptimizer() throws(MixGRPOError) {
    let (usual, text) = (AdamWConfiguration(), "the default, as the host's own optimizer would not obey it")
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
    check.require(averageDecay == 0, "ema_decay", expected: "0, as the host keeps its own averages", got: averageDecay)
    try check.throwIfAny()
  }
}
