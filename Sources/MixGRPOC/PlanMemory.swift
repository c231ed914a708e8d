import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixSampling

@_cdecl("mixgrpo_plan_memory") @implementation
public func mixgrpo_plan_memory(
  _ plan: OpaquePointer?, _ iteration: Int64, _ window_start: Int32, _ learning: UnsafePointer<mixgrpo_learning_config>?,
  _ model: UnsafePointer<mixgrpo_model_config>?, _ workload: UnsafePointer<mixgrpo_workload>?,
  _ out_memory: UnsafeMutablePointer<mixgrpo_memory>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let result = try ResultPlace(out_memory, "out_memory")
    let workload = try read(workload, "workload")
    try workload.validate(hasModel: model != nil)
    let plan = try object.forecast(iteration: iteration, windowStart: window_start)
    let learning = try readOptional(learning, "learning").map { (config) throws(MixGRPOError) in
      try LearningConfiguration(config, groupSize: plan.groupSize)
    }
    var memory = mixgrpo_memory()
    memory.trajectory_bytes = try workload.trajectoryBytes(plan, learning)
    if let model = try readOptional(model, "model") {
      let configuration = try FlowTransformerConfiguration(model)
      memory.weight_bytes = try workload.weightBytes(configuration, learning)
      memory.activation_bytes = try workload.activationBytes(configuration, learning)
    }
    memory.peak_bytes = memory.trajectory_bytes + memory.weight_bytes + memory.activation_bytes
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
    if hasModel {
      range(text_length, 1...65_536, "text_length")
      range(max_batch, 1...65_536, "max_batch")
      range(threads, 1...1_024, "threads")
      range(keep_reference, 0...1, "keep_reference")
    }
    try check.throwIfAny()
  }

  /// Latents and stored steps; an update adds the latents and cotangents of its largest request.
  fileprivate func trajectoryBytes(
    _ plan: SamplingPlan, _ learning: LearningConfiguration?
  ) throws(MixGRPOError) -> UInt64 {
    let latentSize = try checkedProduct(Int(token_count), Int(channels), field: "token_count")
    let rollout = try plan.rolloutBytes(prompts: Int(prompt_count), latentSize: latentSize)
    guard let learning else { return UInt64(rollout) }
    let parts = learning.policy.updatesPerIteration
    let rows = plan.trainingEvaluations(prompts: Int(prompt_count), parts: parts)
    let largest = max_batch > 0 ? min(Int(max_batch), rows) : (rows + parts - 1) / parts
    return UInt64(rollout) + UInt64(try checkedProduct(2, largest, latentSize, 4, field: "update"))
  }

  fileprivate func weightBytes(
    _ configuration: FlowTransformerConfiguration, _ learning: LearningConfiguration?
  ) throws(MixGRPOError) -> UInt64 {
    var copies = 1
    if let learning {
      let hasAverage = learning.averageDecay > 0
      copies += 3 + 3  // gradients and two moments; weights and moments as they were before the update
      if hasAverage { copies += 2 }
      if keepsReference(learning) { copies += 1 }
    }
    let weights = try ParameterLayout(configuration).count
    return UInt64(try checkedProduct(copies, weights, 4, field: "model"))
  }

  fileprivate func activationBytes(
    _ configuration: FlowTransformerConfiguration, _ learning: LearningConfiguration?
  ) throws(MixGRPOError) -> UInt64 {
    let memory = try EvaluatorMemory(
      configuration: configuration, tokens: Int(token_count), textLength: Int(text_length), maxBatch: Int(max_batch),
      threads: Int(threads))
    guard let learning else { return UInt64(memory.inferenceBytes) }
    let evaluators = keepsReference(learning) ? 2 : 1
    return UInt64(evaluators * memory.inferenceBytes + memory.trainingBytes)
  }

  private func keepsReference(_ learning: LearningConfiguration) -> Bool {
    keep_reference == 1 || learning.policy.referencePenalty > 0
  }
}
