import ArgumentParser
import MixGRPO
import MixStorage

/// Lets another implementation run the same model on the same inputs and compare its velocities.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a model as a diffusers folder, and reference.safetensors with inputs and velocities next to it.",
    discussion: """
      reference.safetensors holds, in float32: latents (B, tokens, channels), text (1, L, J), pooled (1, P), sigma (B), \
      guidance (B), image_ids (tokens, 3) and velocity (B, tokens, channels).
      """)
  @Argument(help: "S, between or M.") var model: ModelSize
  @Argument(help: "The folder to write.") var folder: String

  private static let sigmas: [Float] = [1, 0.5, 0.03125]

  func run() throws {
    let shape = model.shape
    let count = Self.sigmas.count
    let transformer = try shape.model()
    try transformer.save(folder: folder)
    let geometry = try TokenGeometry(height: shape.side, width: shape.side)
    let evaluator = try FlowEvaluator(
      model: transformer, geometry: geometry, textLength: shape.textLength, maxBatch: count, threads: resolvedThreads(0))
    let (latents, prompts) = (shape.latents(count: count), try shape.prompts())
    var velocity = [Float](repeating: 0, count: latents.count)
    _ = try VelocityRequest.withArrays(latents: latents, sigmas: Self.sigmas, promptIndex: [0, 0, 0]) {
      try evaluator.velocity($0, prompts, into: &velocity)
    }
    let tokens = geometry.tokens
    try write([
      ("latents", [count, tokens, shape.channels], latents), ("velocity", [count, tokens, shape.channels], velocity),
      ("text", [1, shape.textLength, shape.textWidth], Array(prompts.text.buffer)),
      ("pooled", [1, shape.pooledWidth], Array(prompts.pooled.buffer)), ("sigma", [count], Self.sigmas),
      ("guidance", [count], Array(repeating: evaluator.guidance, count: count)),
      ("image_ids", [tokens, 3], geometry.positions),
    ])
  }

  private func write(_ tensors: [(name: String, shape: [Int], values: [Float])]) throws {
    let entries = tensors.map { tensor in
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.values.count)
      _ = copy.initialize(from: tensor.values)
      return WeightEntry(name: tensor.name, shape: tensor.shape, values: UnsafeBufferPointer(copy))
    }
    defer { for entry in entries { entry.values.deallocate() } }
    try SafetensorsWriter.write(entries, precision: .float32, to: folder + "/reference.safetensors")
  }
}
