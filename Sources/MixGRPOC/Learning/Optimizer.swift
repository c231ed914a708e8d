import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixLearning
import MixNumerics

final class OptimizerObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "optimizer" }
  let optimizer: AdamW
  let context: ContextObject

  init(_ optimizer: AdamW, _ context: ContextObject) { (self.optimizer, self.context) = (optimizer, context) }

  var workers: Workers { Workers(threads: context.run.threads) }

  /// - Throws: `invalidArgument` when the model has another number of weights.
  func requireFit(_ model: FlowTransformer) throws(MixGRPOError) {
    try require(
      optimizer.count == model.parameterCount, "optimizer", expected: "one for \(model.parameterCount) weights, the model's",
      got: optimizer.count)
  }
}

@_cdecl("mixgrpo_optimizer_create") @implementation
public func mixgrpo_optimizer_create(
  _ context: OpaquePointer?, _ config: UnsafePointer<mixgrpo_learning_config>?, _ parameter_count: Int,
  _ out_optimizer: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_optimizer, "out_optimizer") {
    let context = try resolve(context, "context", as: ContextObject.self)
    let configuration = try LearningConfiguration(read(config, "config")).optimizer
    try require(
      parameter_count >= 1 && parameter_count <= Int.max / 64, "parameter_count", expected: "a number of weights",
      got: parameter_count)
    return OptimizerObject(try AdamW(count: parameter_count, configuration: configuration), context)
  }
}

@_cdecl("mixgrpo_optimizer_destroy") @implementation
public func mixgrpo_optimizer_destroy(_ optimizer: OpaquePointer?) {
  HandleTable.live.remove(optimizer, OptimizerObject.self)
}

@_cdecl("mixgrpo_optimizer_step") @implementation
public func mixgrpo_optimizer_step(
  _ optimizer: OpaquePointer?, _ weights: UnsafeMutablePointer<Float>?, _ gradients: UnsafePointer<Float>?,
  _ count: Int, _ out_report: UnsafeMutablePointer<mixgrpo_optimizer_report>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(optimizer, "optimizer", as: OptimizerObject.self)
    let gradients = try input(gradients, count: count, expected: object.optimizer.count, "gradients")
    let weights = try output(weights, capacity: count, needed: object.optimizer.count, "weights")
    let report = try HostStruct.optional(out_report, "out_report")
    guard let weights = weights.baseAddress, let gradients = gradients.baseAddress else { return }
    let done = try object.optimizer.step(weights: weights, gradients: gradients, workers: object.workers)
    report?.write(mixgrpo_optimizer_report(done))
  }
}

@_cdecl("mixgrpo_optimizer_step_model") @implementation
public func mixgrpo_optimizer_step_model(
  _ optimizer: OpaquePointer?, _ model: OpaquePointer?, _ out_report: UnsafeMutablePointer<mixgrpo_optimizer_report>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(optimizer, "optimizer", as: OptimizerObject.self)
    let model = try resolve(model, "model", as: ModelObject.self).model
    try object.requireFit(model)
    let report = try HostStruct.optional(out_report, "out_report")
    let done = try object.optimizer.step(model, workers: object.workers)
    report?.write(mixgrpo_optimizer_report(done))
  }
}

extension mixgrpo_optimizer_report {
  init(_ report: UpdateReport) {
    self.init()
    step = Int64(report.optimizerSteps)
    gradient_norm = report.gradientNorm
    learning_rate = report.learningRate
  }

  init(_ report: OptimizerReport) {
    self.init()
    step = Int64(report.step)
    gradient_norm = report.gradientNorm
    learning_rate = report.learningRate
  }
}
