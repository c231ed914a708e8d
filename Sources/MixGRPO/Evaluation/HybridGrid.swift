import MixBasics
import MixSampling
import MixStorage

/// A grid of images for hybrid inference (Mix §5): one row per share of the trained model, all from the same noise.
public struct HybridGrid: Sendable {
  /// p_mix of each row: this share of the steps uses the trained model, the rest the base model.
  public var shares: [Double]
  /// The noise levels; default 25 steps, shift 3.
  public var schedule = TimeGrid.Schedule.shifted(steps: 25, shift: 3)
  /// Solver of every step; default Euler.
  public var solver = Solver.euler
  /// Samples per prompt, 1…4096; default 1.
  public var samplesPerPrompt = 1
  /// How σ is rounded before it is passed to the model; default exact.
  public var sigmaRounding = SigmaRounding.exact
  /// Seed of the noise; default 0.
  public var seed: UInt64 = 0
  /// White pixels between images.
  public var gap = 2
  /// Each pixel becomes scale × scale pixels.
  public var scale = 1

  /// 25 Euler steps, one sample per prompt, for each share of the trained model.
  public init(shares: [Double] = [0, 0.2, 0.4, 0.6, 0.8, 1]) { self.shares = shares }

  /// The sampling plan of every row; all start from the same noise.
  /// - Throws: one `invalidArgument` that names every invalid field.
  public func plans() throws(MixGRPOError) -> [SamplingPlan] {
    try require((1...1_024).contains(shares.count), "shares", expected: "1…1024 values", got: shares.count)
    var plans: [SamplingPlan] = []
    for share in shares {
      plans.append(
        try .deterministic(
          schedule, solver: solver, samplesPerPrompt: samplesPerPrompt, trainedModelShare: share,
          sigmaRounding: sigmaRounding, seed: seed))
    }
    return plans
  }
}

extension Trainer {
  /// Renders one image with a row for each p_mix and a column for each sample of each prompt. A pending rollout is kept.
  ///
  /// For models whose latents are pixels (`PixelCodec`).
  /// - Throws: as `sample`; `invalidArgument` when the codec does not match this model's latents, or the grid is too large.
  public func hybridGrid(
    _ grid: HybridGrid, weights: TrainerWeights = .trained, chosen: [Int32], codec: PixelCodec,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> RGBImage {
    let channels = evaluator.model.configuration.inChannels
    try require(
      codec.valuesPerImage == evaluator.latentSize && codec.channels == channels, "height, width, patch",
      expected: "images of \(evaluator.latentSize / channels) tokens of \(channels) channels, the model's latents",
      got: "\(codec.tokenCount) of \(codec.channels)")
    let plans = try grid.plans()
    let perRow = plans.map { $0.modelCalls(prompts: chosen.count) }
    var (images, done): ([RGBImage], Int) = ([], 0)
    for (row, plan) in plans.enumerated() {
      let samples = try sample(plan, weights: weights, chosen: chosen) { part, _ in progress(done + part, perRow.reduce(0, +)) }
      done += perRow[row]
      images += try samples.withUnsafeBufferPointer { (samples) throws(MixGRPOError) in
        try codec.decode(samples, count: samples.count / evaluator.latentSize)
      }
    }
    return try ImageGrid.compose(images, columns: images.count / plans.count, gap: grid.gap, scale: grid.scale)
  }
}
