import CMixGRPO
import MixBasics
import MixFlowModel
import MixNumerics
import MixSettings

final class EvaluatorObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "evaluator" }
  let evaluator: FlowEvaluator
  let model: ModelObject
  let settings: mixgrpo_evaluator_config

  var context: ContextObject { model.context }

  init(_ evaluator: FlowEvaluator, _ model: ModelObject, _ settings: mixgrpo_evaluator_config) {
    (self.evaluator, self.model, self.settings) = (evaluator, model, settings)
  }
}

extension mixgrpo_evaluator_config {
  func validate() throws(MixGRPOError) {
    try check()
    try requireReserved(reserved)
    try require(
      Int(height_tokens) * Int(width_tokens) <= 65_536, "height_tokens · width_tokens", expected: "at most 65536",
      got: Int(height_tokens) * Int(width_tokens))
  }
}

@_cdecl("mixgrpo_evaluator_config_init") @implementation
public func mixgrpo_evaluator_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_evaluator_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus { try writeDefaults(.standard, to: out_config, size: struct_size, "out_config") }
}

@_cdecl("mixgrpo_evaluator_create") @implementation
public func mixgrpo_evaluator_create(
  _ model: OpaquePointer?, _ config: UnsafePointer<mixgrpo_evaluator_config>?, _ image_ids: UnsafePointer<Float>?,
  _ image_id_count: Int, _ out_evaluator: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_evaluator, "out_evaluator") {
    let model = try resolve(model, "model", as: ModelObject.self)
    let config = try read(config, "config")
    try config.validate()
    let tokens = Int(config.height_tokens) * Int(config.width_tokens)
    let ids = try optionalInput(image_ids, count: image_id_count, expected: 3 * tokens, "image_ids")
    let evaluator = try FlowEvaluator(
      model: model.model, geometry: try geometry(config, ids), textLength: Int(config.text_length),
      maxBatch: Int(config.max_batch), threads: model.context.run.threads,
      recomputesActivations: config.recompute_activations == 1, precision: try choice(config.precision, "precision"),
      maxBytes: Int(config.max_bytes))
    evaluator.guidance = Float(config.guidance)
    return EvaluatorObject(evaluator, model, config)
  }
}

private func geometry(
  _ config: mixgrpo_evaluator_config, _ ids: UnsafeBufferPointer<Float>?
) throws(MixGRPOError) -> TokenGeometry {
  guard let ids else { return try TokenGeometry(height: Int(config.height_tokens), width: Int(config.width_tokens)) }
  return try TokenGeometry(positions: Array(ids))
}

@_cdecl("mixgrpo_evaluator_destroy") @implementation
public func mixgrpo_evaluator_destroy(_ evaluator: OpaquePointer?) {
  HandleTable.live.remove(evaluator, EvaluatorObject.self)
}

@_cdecl("mixgrpo_evaluator_latent_size") @implementation
public func mixgrpo_evaluator_latent_size(_ evaluator: OpaquePointer?) -> Int {
  live(evaluator, as: EvaluatorObject.self)?.evaluator.latentSize ?? 0
}

@_cdecl("mixgrpo_evaluator_velocity") @implementation
public func mixgrpo_evaluator_velocity(
  _ evaluator: OpaquePointer?, _ prompts: OpaquePointer?, _ latents: UnsafePointer<Float>?,
  _ sigmas: UnsafePointer<Float>?, _ prompt_index: UnsafePointer<Int32>?, _ count: Int, _ keep_activations: Int32,
  _ out_velocity: UnsafeMutablePointer<Float>?, _ velocity_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluator, "evaluator", as: EvaluatorObject.self)
    let prompts = try resolve(prompts, "prompts", as: PromptsObject.self)
    try requireRange(count, 1...Int(Int32.max), "count")
    let evaluator = object.evaluator
    let latentCount = try checkedProduct(count, evaluator.latentSize, "count")
    let latents = try input(latents, count: latentCount, "latents")
    try requireFinite(latents, "latents")
    let sigmas = try input(sigmas, count: count, "sigmas")
    let promptIndex = try input(prompt_index, count: count, "prompt_index")
    let keeps = try flag(keep_activations, "keep_activations")
    let needed = try checkedProduct(count, evaluator.velocitySize, "count")
    let target = try output(out_velocity, capacity: velocity_capacity, needed: needed, "out_velocity")
    guard let latents = latents.baseAddress, let target = target.baseAddress else { return }
    let request = VelocityRequest(
      latents: latents, latentSize: evaluator.latentSize, sigmas: sigmas, promptIndex: promptIndex)
    try evaluator.finiteVelocity(request, prompts.embeddings, keep: keeps ? .all : .none, into: target)
  }
}

@_cdecl("mixgrpo_evaluator_backward") @implementation
public func mixgrpo_evaluator_backward(
  _ evaluator: OpaquePointer?, _ d_velocity: UnsafePointer<Float>?, _ count: Int,
  _ out_d_latents: UnsafeMutablePointer<Float>?, _ d_latents_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let evaluator = try resolve(evaluator, "evaluator", as: EvaluatorObject.self).evaluator
    let kept = evaluator.keptRows
    guard kept > 0 else {
      throw MixGRPOError(.invalidState, "backward: expected a velocity that kept its activations before it, got none")
    }
    let dVelocity = try input(
      d_velocity, count: count, expected: kept * evaluator.velocitySize, "d_velocity")
    try requireFinite(dVelocity, "d_velocity")
    let target = try optionalOutput(
      out_d_latents, capacity: d_latents_capacity, needed: kept * evaluator.latentSize, "out_d_latents")
    guard let dVelocity = dVelocity.baseAddress else { return }
    try evaluator.backward(dVelocity: dVelocity, dLatents: target?.baseAddress)
  }
}
