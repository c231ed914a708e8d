import MixStorage
import Testing

@testable import MixGRPO

@Suite struct PretrainerCheckpointTests {
  private let context: RunContext

  init() throws { context = try RunContext(threads: 2) }

  private func pretrainer(learningRate: Double = 1e-3, textLength: Int = 3) throws -> FlowMatchingPretrainer {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 12, numLayers: 1, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2, jointAttentionDim: 6,
        pooledProjectionDim: 5, guidanceEmbeds: false, axesDimsRope: [2, 2, 4]))
    model.initializeWeights(seed: 4)
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 2, width: 2), textLength: textLength, maxBatch: 4, threads: 2)
    var configuration = PretrainingConfiguration()
    configuration.optimizer.learningRate = learningRate
    return try FlowMatchingPretrainer(evaluator: evaluator, configuration: configuration, context: context)
  }

  /// Steps up to `last`; the losses of those that ran.
  private func train(_ pretrainer: FlowMatchingPretrainer, to last: Int, in folder: CheckpointFolder? = nil) throws -> [Double]
  {
    let prompts = try HashedWordEncoder(textLength: 3, textWidth: 6, pooledWidth: 5).embeddings(of: ["a", "b"])
    var losses: [Double] = []
    while pretrainer.optimizer.stepCount < last {
      let step = pretrainer.optimizer.stepCount
      let latents = (0..<3 * 48).map { Float(($0 * 7 + step * 5) % 11) / 11 - 0.5 }
      losses.append(try pretrainer.step(latents: latents, prompts: prompts, promptIndex: [0, 1, 0], iteration: step))
      if let folder { try pretrainer.save(in: folder) }
    }
    return losses
  }

  private func weights(_ pretrainer: FlowMatchingPretrainer) -> [Float] {
    let model = pretrainer.evaluator.model
    return Array(UnsafeBufferPointer(start: model.weights, count: model.parameterCount))
  }

  @Test func aStoppedRunGoesOnToTheSameBits() throws {
    let place = try CheckpointPlace()
    let folder = try place.checkpoints(keepLast: 2)
    let whole = try pretrainer()
    let expected = try train(whole, to: 6)
    let first = try train(try pretrainer(), to: 4, in: folder)
    let second = try pretrainer()
    let resumption = try #require(try second.resume(from: folder))
    #expect(resumption.iteration == 4 && resumption.skipped.isEmpty)
    #expect(first + (try train(second, to: 6)) == expected)
    #expect(weights(second) == weights(whole))
    #expect(try place.names() == ["iteration-00000003.safetensors", "iteration-00000004.safetensors"])
  }

  @Test func aCheckpointWithAFlippedBitIsSkipped() throws {
    let place = try CheckpointPlace()
    let folder = try place.checkpoints()
    _ = try train(try pretrainer(), to: 3, in: folder)
    let newest = place.file(3)
    var bytes = try FileAccess.read(newest, limit: 1 << 24)
    bytes[bytes.count / 2] ^= 1
    try AtomicFile.write(bytes, to: newest)
    let pretrainer = try pretrainer()
    let resumption = try #require(try pretrainer.resume(from: folder))
    #expect(resumption.iteration == 2 && resumption.skipped.count == 1)
    #expect(resumption.skipped[0].contains("checksum"), "\(resumption.skipped)")
    try pretrainer.save(in: folder)
    #expect(try !FileAccess.isPresent(newest))
  }

  @Test func whatARunDependsOnMustBeAsSaved() throws {
    let place = try CheckpointPlace()
    let folder = try place.checkpoints()
    #expect(try pretrainer().resume(from: folder) == nil)
    _ = try train(try pretrainer(), to: 1, in: folder)
    let others = [
      (try pretrainer(learningRate: 0.5), "learning_rate: expected 0.001, as saved, got 0.5"),
      (try pretrainer(textLength: 4), "text_length: expected 3"),
    ]
    for (other, field) in others {
      let before = weights(other)
      let error = #expect(throws: MixGRPOError.self) { try other.resume(from: folder) }
      #expect(error?.code == .invalidArgument && error?.message.contains(field) == true)
      #expect(weights(other) == before && other.optimizer.stepCount == 0)
    }
  }

  @Test func anotherRunsLaterStepIsNamedAsAStep() throws {
    let place = try CheckpointPlace()
    let folder = try place.checkpoints()
    _ = try train(try pretrainer(), to: 2, in: folder)
    let error = #expect(throws: MixGRPOError.self) { try pretrainer().save(in: folder) }
    #expect(error?.code == .invalidState)
    #expect(error?.message.contains("expected no checkpoint after step 0, got one of step 1") == true)
  }

  @Test func aCheckpointOfAnotherKindIsRefused() throws {
    let place = try CheckpointPlace()
    let (saved, read) = (try pretrainer(), try pretrainer())
    _ = try train(saved, to: 2)
    try saved.save(folder: place.path)
    try read.restore(folder: place.path)
    #expect(read.optimizer.stepCount == 2 && weights(read) == weights(saved))
    let trainer = try TinyRun().trainer
    try trainer.save(folder: place.path)
    try FileAccess.removeFile("\(place.path)/pretrainer.safetensors")
    try AtomicFile.write(
      FileAccess.read("\(place.path)/trainer.safetensors", limit: 1 << 24), to: "\(place.path)/pretrainer.safetensors")
    let error = #expect(throws: MixGRPOError.self) { try read.restore(folder: place.path) }
    #expect(error?.message.contains("format: expected mixgrpo-pretrainer-3, got mixgrpo-trainer-3") == true)
  }
}
