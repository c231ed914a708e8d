import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSettings

@_cdecl("mixgrpo_host_config_init") @implementation
public func mixgrpo_host_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_host_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus { try writeDefaults(.standard, to: out_config, size: struct_size, "out_config") }
}

@_cdecl("mixgrpo_trainer_create_for_host") @implementation
public func mixgrpo_trainer_create_for_host(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ learning: UnsafePointer<mixgrpo_learning_config>?,
  _ host: UnsafePointer<mixgrpo_host_config>?, _ reward_names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ reward_count: Int, _ out_trainer: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_trainer, "out_trainer") {
    let context = try resolve(context, "context", as: ContextObject.self)
    let sampling = try resolve(plan, "plan", as: PlanObject.self).configuration
    let learning = try LearningConfiguration(read(learning, "learning"), groupSize: sampling.groupSize)
    let model = try HostModel(read(host, "host"))
    try requireRange(reward_count, 1...1_024, "reward_count")
    let names = try texts(reward_names, count: reward_count, "reward_names")
    let machine = try ModelFreeTrainer(
      model: model, sampling: sampling, learning: learning, rewardNames: names, context: context.run)
    return try TrainerObject(machine, context)
  }
}

extension HostModel {
  /// - Throws: `invalidArgument` naming every value that is out of its row's range; the trainer refuses sizes of 0.
  fileprivate init(_ config: mixgrpo_host_config) throws(MixGRPOError) {
    try config.check()
    self.init(prompts: config.prompt_count, latentSize: config.latent_size, maxBatch: Int(config.max_batch))
  }
}

// MARK: - Begin

@_cdecl("mixgrpo_trainer_begin_rollout") @implementation
public func mixgrpo_trainer_begin_rollout(
  _ trainer: OpaquePointer?, _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int, _ with_ticket: Int32
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "begin_rollout")
    try requireRange(prompt_count, 1...1_000_000, "prompt_count")
    let chosen = try copy(prompt_indices, count: prompt_count, "prompt_indices")
    try machine.beginRollout(prompts: chosen, withTicket: flag(with_ticket, "with_ticket"))
  }
}

@_cdecl("mixgrpo_trainer_begin_sample") @implementation
public func mixgrpo_trainer_begin_sample(
  _ trainer: OpaquePointer?, _ weights: mixgrpo_weights, _ config: UnsafePointer<mixgrpo_sample_config>?,
  _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int, _ initial_noise: UnsafePointer<Float>?,
  _ noise_count: Int
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "begin_sample")
    let weights: TrainerWeights = try choice(weights, "weights")
    let request = try SampleRequest(
      config, prompt_indices, prompt_count, initial_noise, noise_count, latentSize: machine.model.latentSize)
    try machine.beginSample(request.plan, weights: weights, chosen: request.chosen, initialNoise: request.noise)
  }
}

@_cdecl("mixgrpo_trainer_begin_update") @implementation
public func mixgrpo_trainer_begin_update(
  _ trainer: OpaquePointer?, _ rewards: UnsafePointer<Double>?, _ count: Int, _ weights: UnsafePointer<Double>?,
  _ weight_count: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let machine = try object.hostMachine(for: "begin_update")
    let (rewards, weights) = try object.updateArguments(rewards, count, weights, weight_count)
    try machine.beginUpdate(rewards: rewards, weights: weights)
  }
}

@_cdecl("mixgrpo_trainer_begin_update_tickets") @implementation
public func mixgrpo_trainer_begin_update_tickets(
  _ trainer: OpaquePointer?, _ missing: mixgrpo_missing_rewards, _ weights: UnsafePointer<Double>?, _ weight_count: Int
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "begin_update_tickets")
    let missing: MissingRewards = try choice(missing, "missing")
    let weights = try rewardWeights(weights, count: weight_count, rewards: machine.rewardNames.count)
    try machine.beginUpdateFromTickets(missing: missing, weights: weights.isEmpty ? nil : weights)
  }
}

// MARK: - Answer

@_cdecl("mixgrpo_trainer_next") @implementation
public func mixgrpo_trainer_next(
  _ trainer: OpaquePointer?, _ out_request: UnsafeMutablePointer<mixgrpo_velocity_request>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let machine = try object.hostMachine(for: "next")
    let result = try HostStruct(out_request, "out_request")
    let before = machine.iteration
    result.write(mixgrpo_velocity_request(try machine.next()))
    if machine.iteration > before { object.log(machine.metrics?.warningLines ?? []) }
  }
}

@_cdecl("mixgrpo_trainer_submit") @implementation
public func mixgrpo_trainer_submit(
  _ trainer: OpaquePointer?, _ velocity: UnsafePointer<Float>?, _ reference_velocity: UnsafePointer<Float>?,
  _ count: Int, _ out_d_velocity: UnsafeMutablePointer<Float>?, _ d_velocity_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let machine = try object.hostMachine(for: "submit")
    let answer = try VelocityAnswer(velocity, reference_velocity, count: count)
    let target =
      try machine.givesGradient
      ? output(out_d_velocity, capacity: d_velocity_capacity, needed: count, "out_d_velocity") : nil
    let dVelocity = try machine.submit(velocity: answer.velocity, reference: answer.reference, count: count)
    if let dVelocity { target?.fill(from: dVelocity) }
    object.context.report(machine.progress)
  }
}

extension ContextObject {
  fileprivate func report(_ progress: (stage: TrainerWork, done: Int, total: Int)?) {
    guard let progress else { return }
    let stage =
      switch progress.stage {
      case .rollout: MIXGRPO_STAGE_ROLLOUT
      case .update: MIXGRPO_STAGE_UPDATE
      case .sample: MIXGRPO_STAGE_SAMPLE
      }
    report(stage, done: progress.done, total: progress.total)
  }
}

@_cdecl("mixgrpo_trainer_submit_step") @implementation
public func mixgrpo_trainer_submit_step(
  _ trainer: OpaquePointer?, _ gradient_norm: Double, _ learning_rate: Double
) -> mixgrpo_status {
  withStatus {
    try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "submit_step")
      .submitStep(gradientNorm: gradient_norm, learningRate: learning_rate)
  }
}

@_cdecl("mixgrpo_trainer_set_rank") @implementation
public func mixgrpo_trainer_set_rank(_ trainer: OpaquePointer?, _ rank: Int32, _ rank_count: Int32) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "set_rank")
    try machine.setRank(Rank(Int(rank), of: Int(rank_count)))
  }
}

@_cdecl("mixgrpo_trainer_get_figures") @implementation
public func mixgrpo_trainer_get_figures(
  _ trainer: OpaquePointer?, _ out_figures: UnsafeMutablePointer<Double>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "get_figures")
    let figures = try machine.rankFigures()
    try output(out_figures, capacity: capacity, needed: figures.count, "out_figures").fill(from: figures)
  }
}

@_cdecl("mixgrpo_trainer_submit_figures") @implementation
public func mixgrpo_trainer_submit_figures(
  _ trainer: OpaquePointer?, _ figures: UnsafePointer<Double>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "submit_figures")
    let expected = machine.rank.count * Int(MIXGRPO_FIGURE_COUNT)
    let values = try input(figures, count: count, expected: expected, "figures")
    try Memory.require(count, of: 64)  // copies of them
    try machine.submitFigures(Array(values))
  }
}

@_cdecl("mixgrpo_trainer_fail") @implementation
public func mixgrpo_trainer_fail(
  _ trainer: OpaquePointer?, _ status: mixgrpo_status, _ message: UnsafePointer<CChar>?
) -> mixgrpo_status {
  var isOver = false
  let outcome = withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "fail")
    guard let code = MixGRPOError.Code(rawValue: status) else {
      throw MixGRPOError.invalid("status", expected: "the status of an error", got: status)
    }
    let reason = message == nil ? String(cString: LastError.text) : try text(message, "message")
    isOver = !machine.fail(MixGRPOError(code, reason.isEmpty ? "model: its owner reported \(code)" : reason))
  }
  return isOver ? status : outcome
}

// MARK: - Results

@_cdecl("mixgrpo_trainer_get_samples") @implementation
public func mixgrpo_trainer_get_samples(
  _ trainer: OpaquePointer?, _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int,
  _ out_ticket: UnsafeMutablePointer<Int64>?
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "get_samples")
    let ticketPlace = try out_ticket.map { try place($0, "out_ticket") }
    let (samples, ticket) = try machine.samples()
    let target = try output(out_samples, capacity: capacity, needed: samples.count, "out_samples")
    if let base = samples.baseAddress { target.fill(from: base) }
    ticketPlace?.pointee = ticket?.number ?? 0
  }
}

@_cdecl("mixgrpo_trainer_get_progress") @implementation
public func mixgrpo_trainer_get_progress(
  _ trainer: OpaquePointer?, _ out_json: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ out_size: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "get_progress")
    try deliver(machine.progressText(), to: out_json, capacity: capacity, size: out_size, "out_json")
  }
}

@_cdecl("mixgrpo_trainer_set_progress") @implementation
public func mixgrpo_trainer_set_progress(_ trainer: OpaquePointer?, _ json: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    let machine = try resolve(trainer, "trainer", as: TrainerObject.self).hostMachine(for: "set_progress")
    try machine.restore(progressText: text(json, "json"))
  }
}
