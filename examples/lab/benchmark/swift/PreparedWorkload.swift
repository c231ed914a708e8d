import MixGRPO

/// A workload with its model, inputs and memory, which are made once and used for all runs.
final class PreparedWorkload {
  /// One timed run.
  struct Lap {
    let seconds: Double
    /// Of an iteration: its two halves.
    var rollout = 0.0
    var update = 0.0
  }

  private let setting: Workload
  private let shape: ModelShape
  private let evaluator: FlowEvaluator
  private let prompts: PromptEmbeddings
  private let trainer: Trainer?
  private let latents: [Float]  // (maxBatch, tokens, channels)
  private var velocity: [Float]  // (maxBatch, tokens, channels)
  private let sigmas: [Float]  // (maxBatch)
  private let promptIndex: [Int32]  // (maxBatch)

  /// Allocates all memory, and runs the forward and the backward once if they are part of the workload.
  init(_ workload: Workload) throws {
    setting = workload
    shape = workload.shape
    let threads = resolvedThreads(workload.threads)
    let count = workload.maxBatch
    evaluator = try FlowEvaluator(
      model: workload.trainedModel(), geometry: TokenGeometry(height: shape.side, width: shape.side),
      textLength: shape.textLength, maxBatch: count, threads: threads, recomputesActivations: workload.recompute,
      precision: workload.bfloat16 ? .bfloat16 : .float32, maxBytes: workload.maxBytes)
    prompts = try shape.prompts()
    latents = shape.latents(count: count)
    velocity = Array(repeating: 0, count: latents.count)
    sigmas = Array(repeating: 0.5, count: count)
    promptIndex = Array(repeating: 0, count: count)
    trainer =
      switch workload.part {
      case .forward, .forwardBackward: nil
      case .rollout, .iteration:
        try Trainer(
          evaluator: evaluator, prompts: prompts, sampling: workload.sampling, learning: workload.learning,
          rewardNames: ["reward"], context: RunContext(threads: threads))
      }
    try warmUp()
  }

  func fits(_ workload: Workload) -> Bool { setting.hasSameSetting(as: workload) }

  /// Runs until the workload's repeats are done or its seconds have passed; at least once.
  func measure(_ workload: Workload) throws -> Measurement {
    let (started, recalled) = (ContinuousClock.now, evaluator.recalledRows)
    var laps: [Lap] = []
    while laps.count < workload.repeats, laps.isEmpty || seconds(since: started) < workload.seconds { laps.append(try run()) }
    return try Measurement(
      workload, laps, recalled: (evaluator.recalledRows - recalled) / laps.count, peakBytes: PeakMemory.bytes(),
      predictedBytes: trainer?.memory(prompts: 1).peakBytes ?? 0)
  }

  private func warmUp() throws {
    defer { evaluator.model.zeroGradients() }
    switch setting.part {
    case .forward, .rollout: try forward()
    case .forwardBackward: try forwardBackward()
    case .iteration: try forward()
    }
  }

  private func run() throws -> Lap {
    switch setting.part {
    case .forward: try timed { try forward() }
    case .forwardBackward: try timed { try forwardBackward() }
    case .rollout: try timed { _ = try trainer?.rollout(prompts: [0]) }
    case .iteration: try iteration()
    }
  }

  private func iteration() throws -> Lap {
    guard let trainer else { return Lap(seconds: 0) }
    let started = ContinuousClock.now
    let samples = try trainer.rollout(prompts: [0])
    let middle = seconds(since: started)
    // The reward takes hardly any time: the first value of each sample.
    try trainer.update(rewards: [(0..<setting.group).map { Double(samples[$0 * evaluator.latentSize]) }])
    let end = seconds(since: started)
    return Lap(seconds: end, rollout: middle, update: end - middle)
  }

  private func forward(keep: KeptActivations = .none) throws {
    _ = try VelocityRequest.withArrays(latents: latents, sigmas: sigmas, promptIndex: promptIndex) {
      try evaluator.velocity($0, prompts, keep: keep, into: &velocity)
    }
  }

  private func forwardBackward() throws {
    try forward(keep: .all)
    try evaluator.backward(dVelocity: velocity)
  }

  private func timed(_ body: () throws -> Void) throws -> Lap {
    let started = ContinuousClock.now
    try body()
    return Lap(seconds: seconds(since: started))
  }
}

func seconds(since start: ContinuousClock.Instant) -> Double { (ContinuousClock.now - start) / Duration.seconds(1) }
