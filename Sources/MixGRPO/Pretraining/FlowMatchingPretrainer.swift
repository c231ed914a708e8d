import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixSettings

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Settings of training from scratch.
public struct PretrainingConfiguration: Equatable, Sendable {
  /// Default: AdamW with its own defaults.
  public var optimizer: AdamWConfiguration
  /// Shift s of the noise levels: σ = s·t/(1 + (s − 1)·t); 1 for none. Default 3, above 0.
  public var shift = 3.0
  /// t = 1/(1 + e^−z), z normal with this mean and standard deviation (logit-normal, arXiv 2403.03206). Default 0 and 1.
  public var logitMean = 0.0
  /// See `logitMean`; 0…20.
  public var logitDeviation = 1.0
  /// Seed of noise and noise levels; default 0.
  public var seed: UInt64 = 0

  /// Shift 3, z standard normal, seed 0.
  public init(optimizer: AdamWConfiguration = AdamWConfiguration()) { self.optimizer = optimizer }

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate() throws(MixGRPOError) {
    var check = Validation()
    self.check(&check)
    optimizer.checkRules(&check)
    try check.throwIfAny()
  }
}

/// Trains a flow transformer from scratch by flow matching: L = mean‖v(x_σ, σ) − (ε − x₀)‖², x_σ = (1 − σ)·x₀ + σ·ε.
public final class FlowMatchingPretrainer {
  /// Runs the model that is trained.
  public let evaluator: FlowEvaluator
  /// As given to `init`.
  public let configuration: PretrainingConfiguration
  /// Its `stepCount` is the number of completed steps.
  public let optimizer: AdamW
  private let context: RunContext
  private let workers: Workers
  /// Maximum number of samples evaluated at once.
  private let batchLimit: Int
  private let noisy: FloatStorage  // (batchLimit, D)
  private let target: FloatStorage  // (batchLimit, D): ε − x₀, then ∂L/∂v
  private let sigmas: FloatStorage  // (batchLimit)
  private let promptRows: UnsafeMutableBufferPointer<Int32>  // (batchLimit)

  /// Trains the evaluator's model. Its `maxBatch` and `maxBytes` limit memory, not the batch.
  /// - Throws: `invalidArgument`, `outOfMemory`.
  public init(
    evaluator: FlowEvaluator, configuration: PretrainingConfiguration, context: RunContext
  ) throws(MixGRPOError) {
    try configuration.validate()
    try requireLatents(of: evaluator, evaluator.latentSize)
    try requireTrainable(evaluator.model)
    (self.evaluator, self.configuration, self.context) = (evaluator, configuration, context)
    workers = Workers(threads: context.threads)
    let memory = evaluator.memory
    let taken = memory.inferenceBytes + memory.weightBytes + 3 * memory.trainedBytes
    batchLimit = try memory.updateBatch(within: evaluator.maxBytes, taken: taken) { 2 * 4 * evaluator.latentSize * $0 }
    optimizer = try AdamW(count: evaluator.model.parameterCount, configuration: configuration.optimizer)
    let values = batchLimit * evaluator.latentSize
    noisy = try FloatStorage(count: values)
    target = try FloatStorage(count: values)
    sigmas = try FloatStorage(count: batchLimit)
    promptRows = .allocate(capacity: batchLimit)
    promptRows.initialize(repeating: 0)
  }

  deinit { promptRows.deallocate() }

  /// One optimizer step on a batch; the noise depends on seed, `iteration` and index in the batch.
  /// - Parameters:
  ///   - latents: clean data, (B, tokens, channels).
  ///   - prompts: embeddings of the captions.
  ///   - promptIndex: (B), rows of `prompts`.
  ///   - iteration: a number that is unique within the run.
  ///   - progress: called with the number of samples evaluated so far and in total.
  /// - Returns: the loss.
  /// - Throws: `invalidArgument`; `cancelled`; `notFinite` when the loss, a gradient or a weight would not be finite. After an
  ///   error the model and the optimizer are unchanged. Gradients are always zero afterwards.
  public func step(
    latents: [Float], prompts: PromptEmbeddings, promptIndex: [Int32], iteration: Int,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> Double {
    let (batch, size) = (promptIndex.count, evaluator.latentSize)
    try require(batch > 0, "prompt_index", expected: "at least one sample", got: 0)
    try require(latents.count == batch * size, "latents", expected: "\(batch * size) values", got: latents.count)
    evaluator.model.zeroGradients()
    defer { evaluator.model.zeroGradients() }
    var loss = 0.0
    var first = 0
    while first < batch {
      try context.checkCancelled()
      let count = min(batchLimit, batch - first)
      loss += try accumulate(
        Slice(first: first, count: count, batch: batch), latents, prompts, promptIndex, iteration)
      first += count
      progress(first, batch)
    }
    try context.checkCancelled()
    try optimizer.step(evaluator.model, workers: workers)
    return loss
  }

  private struct Slice {
    let first: Int
    let count: Int
    let batch: Int
  }

  /// Forward and backward pass of some samples of the batch; returns their share of the loss.
  private func accumulate(
    _ slice: Slice, _ latents: [Float], _ prompts: PromptEmbeddings, _ promptIndex: [Int32], _ iteration: Int
  ) throws(MixGRPOError) -> Double {
    let size = evaluator.latentSize
    for sample in 0..<slice.count {
      promptRows[sample] = promptIndex[slice.first + sample]
      mix(sample, latents[(slice.first + sample) * size..<(slice.first + sample + 1) * size], iteration, slice.first + sample)
    }
    let request = VelocityRequest(
      latents: noisy.base, latentSize: size, sigmas: UnsafeBufferPointer(start: sigmas.base, count: slice.count),
      promptIndex: UnsafeBufferPointer(rebasing: promptRows[0..<slice.count]))
    let velocity = try evaluator.velocity(request, prompts, keep: .all)
    defer { evaluator.discardActivations() }
    var squares = 0.0
    let values = Double(slice.batch * size)
    for index in 0..<slice.count * size {
      let difference = velocity[index] - target.base[index]
      squares += Double(difference) * Double(difference)
      target.base[index] = Float(2 / values) * difference
    }
    guard squares.isFinite else {
      throw MixGRPOError(.notFinite, "loss: expected a finite value, got \(squares)")
    }
    try evaluator.backward(dVelocity: target.base)
    return squares / values
  }

  /// Noise and noise level of one sample: fills x_σ, ε − x₀ and σ.
  private func mix(_ sample: Int, _ data: ArraySlice<Float>, _ iteration: Int, _ place: Int) {
    let size = evaluator.latentSize
    let (x, difference) = (noisy.base + sample * size, target.base + sample * size)
    RandomStream(seed: configuration.seed, purpose: .pretraining, iteration: iteration, prompt: place, step: 0)
      .fillNormals(difference, count: size)
    var stream = RandomStream(seed: configuration.seed, purpose: .pretraining, iteration: iteration, prompt: place, step: 1)
    let t = 1 / (1 + exp(-(configuration.logitMean + configuration.logitDeviation * stream.normal())))
    let sigma = Float(configuration.shift * t / (1 + (configuration.shift - 1) * t))
    sigmas.base[sample] = sigma
    for (index, clean) in data.enumerated() {
      let noise = difference[index]
      x[index] = (1 - sigma) * clean + sigma * noise
      difference[index] = noise - clean
    }
  }
}
