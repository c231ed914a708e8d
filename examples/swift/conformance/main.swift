// The whole pipeline in one program. The C, C++, Python, Rust and Swift versions print the same lines, to the last bit.
//
// conformance MODEL FOLDER: the base model's folder, and a folder for the checkpoint. Numbers are printed as their bits in
// hexadecimal, arrays as the 64-bit FNV-1a hash of their bytes.
import MixGRPO

let (size, group) = (8, 4)
let lines = ["a red circle at the left", "a blue square in the middle"]

func hash<Value>(_ values: [Value]) -> String {
  var state: UInt64 = 0xcbf2_9ce4_8422_2325
  values.withUnsafeBytes { for byte in $0 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 } }
  return hexadecimal(state)
}

func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

func bits(_ value: Double) -> String { hexadecimal(value.bitPattern) }

/// Windows, work and every coefficient of the published methods.
func plans() throws {
  for preset in Preset.allCases {
    for iteration in [0, 40] {
      let plan = try SamplingPlan(preset.sampling, iteration: iteration)
      let coefficients = plan.transitions.flatMap { step in
        [
          step.sigma, step.nextSigma, step.latentScale, step.velocityScale, step.previousDataScale, step.earlierDataScale,
          step.noiseScale,
        ]
      }
      print(
        "plan \(preset.rawValue) \(iteration): window \(plan.window.lowerBound)+\(plan.window.count), \(plan.steps) steps, "
          + "\(plan.trainedSteps.count) trained, \(plan.modelCalls(prompts: lines.count)) calls, \(hash(coefficients))")
    }
  }
}

/// The host's own model, with one weight: velocity = weight · h − prompt / 8 with h = latent / 2 + σ.
struct OwnModel {
  var weight: Float = 0.75
  var h: [Float] = []
  var velocity: [Float] = []

  mutating func answer(
    _ latents: UnsafePointer<Float>, _ sigmas: UnsafeBufferPointer<Float>, _ prompts: UnsafeBufferPointer<Int32>
  ) {
    h = (0..<sigmas.count * size).map { 0.5 * latents[$0] + sigmas[$0 / size] }
    velocity = h.indices.map { weight * h[$0] - 0.125 * Float(prompts[$0 / size]) }
  }
}

func rolloutAndUpdateByHand(_ context: RunContext) throws {
  var (model, sampling, learning) = (OwnModel(), SamplingConfiguration(), LearningConfiguration())
  sampling.schedule = .shifted(steps: 6, shift: 3)
  (sampling.windowLength, sampling.groupSize, sampling.seed) = (2, group, 11)
  (learning.policy.updatesPerIteration, learning.policy.clipRange) = (2, 0.05)
  let plan = try SamplingPlan(sampling, iteration: 30)
  let rollout = try Rollout(plan: plan, prompts: [3, 1], latentSize: size, context: context)
  while let request = try rollout.next() {
    model.answer(request.latents, request.sigmas, request.promptIndex)
    try rollout.submit(velocity: model.velocity, count: model.velocity.count)
  }
  let samples = Array(try rollout.samples())
  print("samples \(hash(samples))")

  var rewards = [Double](repeating: 0, count: samples.count / size)
  for (place, value) in samples.enumerated() { rewards[place / size] += Double(value) }
  let advantages = try Advantages(rewards: [rewards], groupSize: group, configuration: learning.advantages)
  print("advantages \(hash(advantages.values))")
  let update = try Update(
    trajectory: rollout.trajectory(), advantages: advantages, configuration: learning.policy, context: context)
  try train(&model, update)
  let seen = update.metrics
  print("loss \(bits(seen.loss)), ratios \(bits(seen.firstRatioMin)) \(bits(seen.ratioMax))")
}

func train(_ model: inout OwnModel, _ update: Update) throws {
  var gradient = 0.0
  while true {
    switch update.next() {
    case .evaluate(let request):
      model.answer(request.latents, request.sigmas, request.promptIndex)
      let count = model.velocity.count
      let dVelocity = UnsafeBufferPointer(start: try update.submit(velocity: model.velocity, count: count), count: count)
      for (dValue, h) in zip(dVelocity, model.h) { gradient += Double(dValue) * Double(h) }
      print("d_velocity \(hash(Array(dVelocity)))")
    case .optimizerStep:
      (model.weight, gradient) = (Float(Double(model.weight) - 0.5 * gradient), 0)
      print("weight \(bits(Double(model.weight)))")
    case .finished:
      return
    }
  }
}

// MARK: - Trainer

struct Training {
  let trainer: Trainer
  let codec: PixelCodec

  init(_ context: RunContext, _ base: String) throws {
    codec = try PixelCodec(height: 32, width: 32, patch: 4)
    let model = try FlowTransformer(folder: base)
    let prompts = try HashedWordEncoder(textLength: 16, textWidth: 64, pooledWidth: 64).embeddings(of: lines)
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 8, width: 8), textLength: 16, maxBatch: 12, threads: context.threads)
    var (sampling, learning) = (Preset.mixGRPOFlash.sampling, Preset.mixGRPOFlash.learning)
    sampling.schedule = .shifted(steps: 6, shift: 3)
    (sampling.windowLength, sampling.groupSize, sampling.seed) = (2, group, 5)
    (learning.policy.updatesPerIteration, learning.optimizer.learningRate) = (2, 1e-4)
    trainer = try Trainer(
      evaluator: evaluator, prompts: prompts, sampling: sampling, learning: learning, rewardNames: ["darkness"],
      context: context)
  }

  func darkness(_ images: [RGBImage]) -> [[Double]] {
    [images.map { 1 - Double($0.pixels.reduce(0) { $0 + Int($1) }) / (255 * Double($0.pixels.count)) }]
  }

  func report(_ what: String, _ metrics: IterationMetrics) {
    print(
      "\(what) \(metrics.iteration): reward \(bits(metrics.rewardMean)), loss \(bits(metrics.policy.loss)), "
        + "gradient \(bits(metrics.gradientNorm))")
  }

  @discardableResult func iterate(_ what: String) throws -> [RGBImage] {
    let images = try codec.decode(trainer.rollout(prompts: [0, 1]), count: lines.count * group)
    report(what, try trainer.update(rewards: darkness(images)))
    let model = trainer.evaluator.model
    let weights = model.parameters.flatMap { entry in
      var values = [Float](repeating: 0, count: entry.count)
      model.readWeights(entry, into: &values)
      return values
    }
    print("\(what) weights \(hash(weights))")
    return images
  }

  func iterateWithTickets() throws {
    var parts: [TicketedSamples] = []
    for prompt: Int32 in [1, 0] {
      let part = try trainer.ticketedRollout(prompts: [prompt])
      print("ticket \(part.ticket) \(hash(part.samples))")
      parts.append(part)
    }
    for part in parts.reversed() {
      let images = try codec.decode(part.samples, count: group)
      try trainer.inbox.submit(darkness(images), for: part.ticket)
    }
    report("tickets", try trainer.updateFromTickets())
  }
}

guard CommandLine.arguments.count == 3 else {
  throw MixGRPOError(.invalidArgument, "usage: conformance MODEL FOLDER")
}
let (base, folder) = (CommandLine.arguments[1], CommandLine.arguments[2])
let context = try RunContext(threads: 2)
try plans()
try rolloutAndUpdateByHand(context)
let first = try Training(context, base)
try first.iterateWithTickets()
try first.trainer.save(folder: folder)
try first.iterate("trained")
let second = try Training(context, base)
try second.trainer.restore(folder: folder)
let images = try second.iterate("resumed")
let grid = try ImageGrid.compose(images, columns: group, gap: 2, scale: 1)
let png = try PNG.encode(grid, text: [PNGText(keyword: "prompt", text: lines[0])])
print("png \(png.count) bytes \(hash(png))")
