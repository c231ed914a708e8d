import Foundation
import MixFlowModel
import MixGRPO
import MixStorage
import Testing

/// One model with the values that diffusers and autograd computed for it; see `Fixtures/make_fixtures.py`.
struct ReferenceCase {
  let model: FlowTransformer
  let reference: SafetensorsFile
  let shape: [String: [Int]]

  static var folder: String { Bundle.module.resourceURL!.appendingPathComponent("Fixtures").path }

  init(_ name: String, reference referenceName: String? = nil) throws {
    model = try FlowTransformer(folder: "\(Self.folder)/\(name)")
    reference = try SafetensorsFile(path: "\(Self.folder)/\(referenceName ?? name)/reference.safetensors")
    shape = Dictionary(uniqueKeysWithValues: reference.tensors.map { ($0.name, $0.shape) })
  }

  func values(_ name: String) throws -> [Float] {
    let shape = try #require(shape[name])
    var values = [Float](repeating: 0, count: shape.reduce(1, *))
    try values.withUnsafeMutableBufferPointer { try reference.read(name, expectedShape: shape, into: $0) }
    return values
  }

  var batch: Int { shape["latents"]![0] }

  func prompts() throws -> PromptEmbeddings {
    try PromptEmbeddings(
      text: values("text"), pooled: values("pooled"), count: batch, textLength: shape["text"]![1])
  }

  func evaluator(threads: Int = 2, maxBatch: Int? = nil, precision: Precision = .float32) throws -> FlowEvaluator {
    try FlowEvaluator(
      model: model, geometry: TokenGeometry(positions: values("image_ids")), textLength: shape["text"]![1],
      maxBatch: maxBatch ?? batch, threads: threads, precision: precision)
  }

  func velocity(_ evaluator: FlowEvaluator, saving: Bool = false) throws -> [Float] {
    var velocity = [Float](repeating: 0, count: batch * evaluator.velocitySize)
    let guidance = try shape["guidance"] == nil ? [Float](repeating: 0, count: batch) : values("guidance")
    _ = try VelocityRequest.withArrays(
      latents: values("latents"), sigmas: values("sigma"), promptIndex: (0..<batch).map(Int32.init), guidance: guidance
    ) { try evaluator.velocity($0, prompts(), keep: saving ? .all : .none, into: &velocity) }
    return velocity
  }
}

/// ‖a − b‖/‖b‖, or ‖a‖ where b is zero; NaN for arrays of different sizes.
func relativeError(_ a: [Float], _ b: [Float]) -> Double {
  guard a.count == b.count else { return .nan }
  let difference = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
  let size = b.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  return size > 0 ? difference / size : difference
}
