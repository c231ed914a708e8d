import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixLearning
import MixSampling

@_cdecl("mixgrpo_plan_predict_memory") @implementation
public func mixgrpo_plan_predict_memory(
  _ plan: OpaquePointer?, _ iteration: Int64, _ window_start: Int32, _ learning: UnsafePointer<mixgrpo_learning_config>?,
  _ model: UnsafePointer<mixgrpo_model_config>?, _ workload: UnsafePointer<mixgrpo_workload>?,
  _ out_memory: UnsafeMutablePointer<mixgrpo_memory>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let result = try HostStruct(out_memory, "out_memory")
    let workload = try read(workload, "workload")
    try workload.validate(hasModel: model != nil)
    let plan = try object.forecast(iteration: iteration, windowStart: window_start)
    let learning = try readOptional(learning, "learning").map { (config) throws(MixGRPOError) in
      try LearningConfiguration(config, groupSize: plan.groupSize)
    }
    if let model = try readOptional(model, "model") {
      let memory = try workload.memory(plan, FlowTransformerConfiguration(model), learning)
      result.write(mixgrpo_memory(memory))
      return
    }
    var memory = mixgrpo_memory()
    memory.trajectory_bytes = try workload.trajectoryBytes(plan, learning)
    memory.peak_bytes = memory.trajectory_bytes
    result.write(memory)
  }
}

extension mixgrpo_workload {
  fileprivate func validate(hasModel: Bool) throws(MixGRPOError) {
    var check = Validation()
    func range(_ value: Int32, _ range: ClosedRange<Int32>, _ field: String) {
      check.include { () throws(MixGRPOError) in try requireRange(value, range, field) }
    }
    range(prompt_count, 1...1_000_000, "prompt_count")
    range(token_count, 1...65_536, "token_count")
    range(channels, 1...65_536, "channels")
    range(max_batch, hasModel ? 1...65_536 : 0...65_536, "max_batch")
    if hasModel {
      range(text_length, 1...65_536, "text_length")
      range(threads, 1...1_024, "threads")
      range(keep_reference, 0...1, "keep_reference")
      range(recompute_activations, 0...1, "recompute_activations")
      check.include { () throws(MixGRPOError) in _ = try choice(precision, "precision", as: Precision.self) }
      check.include { () throws(MixGRPOError) in try requireRange(max_bytes, 0...Int.max, "max_bytes") }
      range(lora_rank, 0...65_536, "lora_rank")
      range(frozen_base, 0...(lora_rank > 0 ? 1 : 0), "frozen_base")
    }
    try check.throwIfAny()
  }

  /// Bytes when the host owns the model: latents and stored steps; an update adds the latents and ∂L/∂velocity of its largest
  /// request.
  fileprivate func trajectoryBytes(
    _ plan: SamplingPlan, _ learning: LearningConfiguration?
  ) throws(MixGRPOError) -> Int {
    let latentSize = try latentSize()
    let rollout = try plan.rolloutBytes(prompts: Int(prompt_count), latentSize: latentSize)
    guard let learning else { return rollout }
    let minibatch = plan.largestMinibatch(prompts: Int(prompt_count), minibatches: learning.policy.updatesPerIteration)
    let largest = max_batch > 0 ? min(Int(max_batch), minibatch) : minibatch
    let (bytes, overflow) = rollout.addingReportingOverflow(try UpdateArena.bytes(rows: largest, latentSize: latentSize))
    try require(!overflow, "update", expected: "a size in memory", got: "more")
    return bytes
  }

  fileprivate func memory(
    _ plan: SamplingPlan, _ configuration: FlowTransformerConfiguration, _ learning: LearningConfiguration?
  ) throws(MixGRPOError) -> IterationMemory {
    try require(
      Int(channels) == configuration.inChannels, "channels", expected: "the model's in_channels, \(configuration.inChannels)",
      got: channels)
    let budget = max_bytes
    var lora: LoRAConfiguration?
    if lora_rank > 0 {
      lora = LoRAConfiguration()
      lora?.rank = Int(lora_rank)
    }
    let evaluator = try EvaluatorMemory(
      configuration: configuration, tokens: Int(token_count), textLength: Int(text_length), maxBatch: Int(max_batch),
      threads: Int(threads), recomputesActivations: recompute_activations == 1, precision: try choice(precision, "precision"),
      lora: lora, isFrozen: frozen_base == 1, within: budget)
    return try IterationMemory(
      plan: plan, prompts: Int(prompt_count), latentSize: latentSize(), evaluator: evaluator, learning: learning,
      keepsBase: keep_reference == 1, maxBytes: budget)
  }

  private func latentSize() throws(MixGRPOError) -> Int {
    try checkedProduct(Int(token_count), Int(channels), field: "token_count")
  }
}

extension mixgrpo_memory {
  fileprivate init(_ memory: IterationMemory) {
    self.init()
    update_batch = Int32(truncatingIfNeeded: memory.updateBatch)
    trajectory_bytes = memory.trajectoryBytes
    weight_bytes = memory.weightBytes
    activation_bytes = memory.evaluatorBytes
    peak_bytes = memory.peakBytes
  }
}
