import MixGRPO

/// All settings of `mixgrpo pretrain`.
struct PretrainSettings: SettingsTable {
  var data = ""
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
  var shift = 3.0
  var logitMean = 0.0
  var logitDeviation = 1.0
  var seed: UInt64 = 0
  var saveEvery = 200
  var keepCheckpoints = 3
  var picturesEvery = 400
  var pictureCaptions = 24
  var precision = PrecisionName.f32
  var tensorBoard = true
  var threads = 0

  static var settings: [Setting<PretrainSettings>] {
    [
      .text("data", \.data, "folder of PNGs of one size with a metadata.jsonl"),
      .text("out", \.out, "folder for all that the run leaves"),
      .section("model", \.model, "sizes of the model"),
      .integer("steps", \.steps, "optimizer steps"),
      .integer("batch", \.batch, "pictures per step"),
      .integer("max_batch", \.maxBatch, "pictures in memory at once"),
      .number("learning_rate", \.learningRate, "highest rate of AdamW; falls along a cosine over all steps"),
      .integer("warmup_steps", \.warmupSteps, "steps over which the rate rises to its highest"),
      .number("min_rate_fraction", \.minimumRateFraction, "the rate at the last step, as a share of the highest"),
      .number("weight_decay", \.weightDecay, "decoupled, of AdamW"),
      .number("max_gradient_norm", \.maximumGradientNorm, "gradients are scaled down to it; 0 for no limit"),
      .number("shift", \.shift, "of the noise levels towards noise; 1 for none"),
      .number("logit_mean", \.logitMean, "of the logit-normal noise levels"),
      .number("logit_deviation", \.logitDeviation, "of the logit-normal noise levels"),
      .seed("seed", \.seed, "of weights, pictures and noise"),
      .integer("save_every", \.saveEvery, "steps between checkpoints; there is one at the end in any case"),
      .integer("keep_checkpoints", \.keepCheckpoints, "so many of the newest are kept"),
      .integer("pictures_every", \.picturesEvery, "steps between picture grids; 0 for none at all"),
      .integer("picture_captions", \.pictureCaptions, "captions in a grid, a picture each"),
      .choice("precision", \.precision, "of the saved model"),
      .flag("tensorboard", \.tensorBoard, "write event files"),
      .integer("threads", \.threads, "worker threads, 0 for one per core; changes no result"),
    ]
  }

  var pretraining: PretrainingConfiguration {
    var optimizer = AdamWConfiguration()
    optimizer.learningRate = learningRate
    optimizer.schedule = LearningRateSchedule(
      .cosine(totalSteps: max(steps, warmupSteps + 1), minimumFraction: minimumRateFraction), warmupSteps: warmupSteps)
    optimizer.weightDecay = weightDecay
    optimizer.maximumGradientNorm = maximumGradientNorm == 0 ? .infinity : maximumGradientNorm
    var configuration = PretrainingConfiguration(optimizer: optimizer)
    (configuration.shift, configuration.seed) = (shift, seed)
    (configuration.logitMean, configuration.logitDeviation) = (logitMean, logitDeviation)
    return configuration
  }

  /// - Throws: `invalidArgument` naming every unfit setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!data.isEmpty, "data", expected: "a folder with metadata.jsonl (--data)", got: "none")
    check.require(!out.isEmpty, "out", expected: "a folder for the run (--out)", got: "none")
    check.require((1...100_000_000).contains(steps), "steps", expected: "1…100000000", got: steps)
    check.require((0...100_000_000).contains(warmupSteps), "warmup_steps", expected: "0…100000000", got: warmupSteps)
    check.require((1...1_048_576).contains(batch), "batch", expected: "1…1048576", got: batch)
    check.require((1...65_536).contains(maxBatch), "max_batch", expected: "1…65536", got: maxBatch)
    check.require((1...1_000_000).contains(saveEvery), "save_every", expected: "1…1000000", got: saveEvery)
    check.require(
      (1...1_000_000).contains(keepCheckpoints), "keep_checkpoints", expected: "1…1000000", got: keepCheckpoints)
    check.require((0...1_000_000).contains(picturesEvery), "pictures_every", expected: "0…1000000", got: picturesEvery)
    check.require((1...1_024).contains(pictureCaptions), "picture_captions", expected: "1…1024", got: pictureCaptions)
    check.require((0...1_024).contains(threads), "threads", expected: "0…1024", got: threads)
    model.validate(&check)
    let pretraining = pretraining
    if (0...100_000_000).contains(warmupSteps) { check.include(pretraining.validate) }
    try check.throwIfAny()
  }
}

/// Sizes of a model to be made, and of what it is told.
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
      .integer("patch", \.patch, "pixels along a token's side"),
      .integer("heads", \.heads, "attention heads"),
      .integer("head_dim", \.headDim, "channels of a head, an even number"),
      .integer("double_blocks", \.doubleBlocks, "double-stream blocks"),
      .integer("single_blocks", \.singleBlocks, "single-stream blocks"),
      .integer("text_length", \.textLength, "words of a caption that get a token"),
      .integer("text_width", \.textWidth, "values of a word's token"),
      .integer("pooled_width", \.pooledWidth, "values of the pooled caption"),
    ]
  }

  func validate(_ check: inout Validation) {
    check.require((1...128).contains(patch), "model.patch", expected: "1…128", got: patch)
    check.require((2...4_096).contains(headDim), "model.head_dim", expected: "2…4096", got: headDim)
    let model = self
    if (1...128).contains(patch), (2...4_096).contains(headDim) {
      check.include { () throws(MixGRPOError) in try model.configuration(channels: 3 * patch * patch).validate() }
    }
    check.include { () throws(MixGRPOError) in _ = try model.encoder() }
  }

  /// Like FLUX, an eighth of a head's channels turns with the first position axis and the rest, in halves, with row and column.
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
