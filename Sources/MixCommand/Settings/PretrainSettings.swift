import MixGRPO
import MixSettings

/// All settings of `mixgrpo pretrain`.
struct PretrainSettings: SettingsTable {
  var data = ""
  var resize = ""
  var startFrom = ""
  var out = ""
  var model = ModelSettings()
  var steps = 1200
  var batch = 64
  var maxBatch = 32
  var learningRate = 1e-3
  var warmupSteps = 60
  var minimumRateFraction = 0.0
  var weightDecay = 0.0
  var maximumGradientNorm = 1.0
  var noiseLevels = PretrainingConfiguration()
  var seed: UInt64 = 0
  var saveEvery = 200
  var keepCheckpoints = 3
  var picturesEvery = 400
  var pictureCaptions = 24
  var precision = PrecisionName.f32
  var computePrecision = PrecisionName.f32
  var tensorBoard = true
  var threads = 0

  static var settings: [Setting<PretrainSettings>] {
    [
      .text("data", \.data, "folder of PNGs with metadata.jsonl"),
      .text(
        "resize", \.resize,
        "size to scale all pictures to, such as 32 or 48x32 (width x height), cut at the edges to its shape; empty for pictures of "
          + "one size"),
      .text(
        "start_from", \.startFrom,
        "folder of a model of the same sizes whose weights are trained further; empty for new, random weights"),
      .text("out", \.out, "folder for all files of the run"),
      .section("model", \.model, "sizes of the model"),
      .integer("steps", \.steps, 1...100_000_000, "optimizer steps"),
      .integer("batch", \.batch, 1...1_048_576, "pictures per step"),
      .integer("max_batch", \.maxBatch, 1...65_536, "pictures evaluated at once"),
      .number(
        "learning_rate", \.learningRate, .closed(0, 1_000),
        "peak learning rate of AdamW; decays along a cosine over all steps"),
      .integer("warmup_steps", \.warmupSteps, 0...100_000_000, "steps over which the learning rate rises to its peak"),
      .number(
        "min_rate_fraction", \.minimumRateFraction, .closed(0, 1),
        "learning rate at the last step, as a share of the peak"),
      .number("weight_decay", \.weightDecay, .closed(0, 1_000), "decoupled weight decay of AdamW"),
      .number(
        "max_gradient_norm", \.maximumGradientNorm, .closed(0, 1e12),
        "gradients are scaled down to at most this global norm; 0 for no limit"),
    ] + PretrainingConfiguration.noiseLevelSettings.map { $0.within(\.noiseLevels) } + [
      .seed("seed", \.seed, "seed of weights, picture order and noise"),
      .integer("save_every", \.saveEvery, 1...1_000_000, "steps between checkpoints; the last step is always saved"),
      .integer(
        "keep_checkpoints", \.keepCheckpoints, 1...1_000_000,
        "number of newest checkpoints to keep while the run lasts; a finished run keeps the newest one"),
      .integer("pictures_every", \.picturesEvery, 0...1_000_000, "steps between picture grids; 0 for no grids"),
      .integer("picture_captions", \.pictureCaptions, 1...1_024, "pictures in a grid, one per caption"),
      .choice("precision", \.precision, "number format of the saved model"),
      PrecisionName.computeSetting(\.computePrecision),
      .flag("tensorboard", \.tensorBoard, "write TensorBoard event files"),
      .integer("threads", \.threads, 0...1_024, "worker threads, 0 for one per core; results do not change")
        .withoutEffect,
    ]
  }

  var pretraining: PretrainingConfiguration {
    var optimizer = AdamWConfiguration()
    optimizer.learningRate = learningRate
    optimizer.schedule = LearningRateSchedule(
      .cosine(totalSteps: max(steps, warmupSteps + 1), minimumFraction: minimumRateFraction), warmupSteps: warmupSteps)
    optimizer.weightDecay = weightDecay
    optimizer.maximumGradientNorm = maximumGradientNorm == 0 ? .infinity : maximumGradientNorm
    var configuration = noiseLevels
    (configuration.optimizer, configuration.seed) = (optimizer, seed)
    return configuration
  }

  /// - Throws: `invalidArgument` naming every invalid setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!data.isEmpty, "data", expected: "a folder with metadata.jsonl (--data)", got: "none")
    check.require(!out.isEmpty, "out", expected: "a folder for the run (--out)", got: "none")
    self.check(&check)
    check.include { () throws(MixGRPOError) in _ = try PictureSize(resize) }
    model.validate(&check)
    let pretraining = pretraining
    if (0...100_000_000).contains(warmupSteps) {
      check.include { () throws(MixGRPOError) in try pretraining.optimizer.validate() }
    }
    try check.throwIfAny()
  }
}

/// Sizes of a new model and of its text input.
struct ModelSettings: SettingsTable, Equatable {
  var patch = 4
  var heads = 4
  var headDim = 32
  var doubleBlocks = 2
  var singleBlocks = 4
  var textLength = 16
  var textWidth = 64
  var pooledWidth = 64

  static var settings: [Setting<ModelSettings>] {
    [
      .integer("patch", \.patch, 1...128, "side of a token's patch in pixels"),
      .integer("heads", \.heads, 1...1_024, "number of attention heads"),
      .integer("head_dim", \.headDim, 2...4_096, "channels per head, an even number"),
      .integer("double_blocks", \.doubleBlocks, 0...1_000, "number of double-stream blocks"),
      .integer("single_blocks", \.singleBlocks, 0...1_000, "number of single-stream blocks"),
      .integer("text_length", \.textLength, 1...4_096, "text tokens: words of a caption that are encoded"),
      .integer("text_width", \.textWidth, 1...65_536, "channels of a text token"),
      .integer("pooled_width", \.pooledWidth, 1...65_536, "channels of the pooled text embedding"),
    ]
  }

  func validate(_ check: inout Validation) {
    self.check(&check, prefix: "model.")
    let model = self
    if (1...128).contains(patch), (2...4_096).contains(headDim) {
      check.include { () throws(MixGRPOError) in try model.configuration(channels: 3 * patch * patch).validate() }
    }
    check.include { () throws(MixGRPOError) in _ = try model.encoder() }
  }

  /// As in FLUX, an eighth of a head's channels encodes the first position axis; the rest encodes row and column, half each.
  func configuration(channels: Int) -> FlowTransformerConfiguration {
    let perAxis = headDim * 7 / 32 * 2
    return FlowTransformerConfiguration(
      inChannels: channels, numLayers: doubleBlocks, numSingleLayers: singleBlocks, attentionHeadDim: headDim,
      numAttentionHeads: heads, jointAttentionDim: textWidth, pooledProjectionDim: pooledWidth, guidanceEmbeds: false,
      axesDimsRope: [headDim - 2 * perAxis, perAxis, perAxis])
  }

  func encoder() throws(MixGRPOError) -> HashedWordEncoder {
    try HashedWordEncoder(textLength: textLength, textWidth: textWidth, pooledWidth: pooledWidth)
  }
}
