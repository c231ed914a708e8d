import ArgumentParser
import MixGRPO

/// What one measurement runs.
enum Part: String, CaseIterable, ExpressibleByArgument {
  /// Velocities of a batch.
  case forward
  /// The same with activations saved, and the gradients of all weights.
  case forwardBackward = "forward-backward"
  /// A group of samples from noise to data.
  case rollout
  /// Rollout and update.
  case iteration
}

/// A part of a model's work with all its sizes: the arguments of `measure`.
///
/// Defaults are the paper's: T 25, G 12, w 4, four optimizer steps per iteration (Mix §4.1).
struct Workload: ParsableArguments {
  @Argument(help: "S, between, M or 1G.") var model: ModelSize
  @Argument(help: "forward, forward-backward, rollout or iteration.") var part: Part
  @Option(help: "Samples per call of forward and forward-backward.") var batch = 12
  @Option(help: "First stochastic step.") var window = 0
  @Option(help: "Stochastic steps, w.") var windowLength = 4
  @Option(help: "Samples per prompt, G.") var group = 12
  @Option(help: "Steps, T.") var steps = 25
  @Option(help: "Optimizer steps per iteration.") var updates = 4
  @Option(help: "Ratio of a shortened tail (0.4 Flash, 0.2 Flash*); 0 for none.") var flash = 0.0
  @Option(help: "Image tokens along a side, in place of the model's.") var side: Int?
  @Option(help: "Attention heads, in place of the model's; the width is in proportion.") var heads: Int?
  @Flag(help: "Evaluate latents that members share once per member, as PyTorch trainers do.") var unshared = false
  @Flag(help: "Round the factors of the blocks' products to bfloat16.") var bfloat16 = false
  @Option(help: "Rank of an adapter that is trained in place of all weights; 0 for all weights.") var lora = 0
  @Flag(help: "Store the blocks of the adapted model in bfloat16.") var frozen = false
  @Flag(help: "Compute activations again in the backward.") var recompute = false
  @Option(help: "Most bytes that an iteration may hold; 0 for no limit.") var maxBytes = 0
  @Flag(help: "Keep what an update needs to be undone, and check the change of the velocity, as trainers do by default.")
  var undo = false
  @Option(help: "Threads; 0 for one per core.") var threads = 0
  @Option(help: "Timed runs at most.") var repeats = 5
  @Option(help: "No new run begins after so many seconds.") var seconds = 60.0

  func validate() throws {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
      guard range.contains(value) else {
        throw ValidationError("--\(name): expected \(range.lowerBound)…\(range.upperBound), got \(value)")
      }
    }
    try check("batch", batch, 1...1_024)
    try check("side", side ?? 1, 1...128)
    try check("heads", heads ?? 1, 1...128)
    try check("repeats", repeats, 1...100_000)
    try check("updates", updates, 1...4_096)
    try check("lora", lora, 0...65_536)
    guard !frozen || lora > 0 else { throw ValidationError("--frozen: expected --lora with it, got none") }
    try checkThreads(threads)
    try checkSeconds(seconds)
    try sampling.validate()
  }

  /// The model with the sizes asked for.
  var shape: ModelShape {
    var shape = model.shape
    shape.side = side ?? shape.side
    shape.heads = heads ?? shape.heads
    return shape
  }

  /// The model that is run: all weights are trained, or an adapter.
  func trainedModel() throws -> FlowTransformer {
    guard lora > 0 else { return try shape.model() }
    var configuration = LoRAConfiguration()
    configuration.rank = lora
    return try FlowTransformer(adapting: frozen ? shape.frozenModel() : shape.model(), configuration)
  }

  var sampling: SamplingConfiguration {
    var sampling = SamplingConfiguration()
    sampling.schedule = .shifted(steps: steps, shift: 3)
    sampling.windowMode = .frozen(start: window)
    sampling.windowLength = windowLength
    sampling.groupSize = group
    sampling.flash = flash == 0 ? nil : FlashTail(ratio: flash)
    sampling.exactSharing = !unshared
    return sampling
  }

  /// Without the copy and the extra model call that let a trainer undo an update, which the PyTorch baseline lacks.
  var learning: LearningConfiguration {
    var learning = LearningConfiguration()
    learning.policy.updatesPerIteration = updates
    if !undo { (learning.undo, learning.safety.maxVelocityChange) = (.none, 0) }
    return learning
  }

  /// Samples in one call of the evaluator: a whole group, and so also the rows of one optimizer step.
  var maxBatch: Int {
    switch part {
    case .forward, .forwardBackward: batch
    case .rollout, .iteration: group
    }
  }

  /// Whether both need the same model, memory and settings; how often they are run may differ.
  func hasSameSetting(as other: Workload) -> Bool {
    (model, part, batch, window, group, steps) == (other.model, other.part, other.batch, other.window, other.group, other.steps)
      && (updates, flash, side, heads, unshared, threads)
        == (other.updates, other.flash, other.side, other.heads, other.unshared, other.threads)
      && (recompute, maxBytes, undo, bfloat16) == (other.recompute, other.maxBytes, other.undo, other.bfloat16)
      && (lora, frozen, windowLength) == (other.lora, other.frozen, other.windowLength)
  }
}

func checkSeconds(_ seconds: Double) throws {
  guard seconds >= 0, seconds.isFinite else { throw ValidationError("--seconds: expected 0 or more, got \(seconds)") }
}

func checkThreads(_ threads: Int) throws {
  guard (0...1_024).contains(threads) else {
    throw ValidationError("--threads: expected 0…1024, got \(threads)")
  }
}
