import CMixGRPO
import MixBasics
import MixGRPO

@_cdecl("mixgrpo_trainer_rollout_ticket") @implementation
public func mixgrpo_trainer_rollout_ticket(
  _ trainer: OpaquePointer?, _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int,
  _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int, _ out_ticket: UnsafeMutablePointer<Int64>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "rollout_ticket")
    let (ticketPlace, chosen, target) = try trainer.withdrawing { () throws(MixGRPOError) in
      let ticketPlace = try place(out_ticket, "out_ticket")
      let (chosen, target) = try object.rolloutArguments(prompt_indices, prompt_count, out_samples, capacity)
      return (ticketPlace, chosen, target)
    }
    let (ticket, rollout) = try trainer.openTicket(prompts: chosen) {
      object.context.report(MIXGRPO_STAGE_ROLLOUT, done: $0, total: $1)
    }
    if let base = try rollout.samples().baseAddress { target.fill(from: base) }
    ticketPlace.pointee = ticket.number
  }
}

@_cdecl("mixgrpo_trainer_submit_rewards") @implementation
public func mixgrpo_trainer_submit_rewards(
  _ trainer: OpaquePointer?, _ ticket: Int64, _ rewards: UnsafePointer<Double>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let trainer = try resolve(trainer, "trainer", as: TrainerObject.self).machine
    let ticket = RolloutTicket(number: ticket)
    let names = trainer.rewardNames.count
    let expected = try trainer.inbox.samples(of: ticket) * names
    let values = try input(rewards, count: count, expected: expected, "rewards")
    try requireRoom(forRewards: count)
    try trainer.inbox.submit(rewardColumns(values, rewards: names), for: ticket)
  }
}

@_cdecl("mixgrpo_trainer_get_open_tickets") @implementation
public func mixgrpo_trainer_get_open_tickets(
  _ trainer: OpaquePointer?, _ out_tickets: UnsafeMutablePointer<Int64>?, _ capacity: Int,
  _ out_size: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let inbox = try resolve(trainer, "trainer", as: TrainerObject.self).machine.inbox
    try deliver(
      inbox.openTickets.map(\.number), to: out_tickets, capacity: capacity, size: out_size, "out_tickets")
  }
}

@_cdecl("mixgrpo_trainer_update_tickets") @implementation
public func mixgrpo_trainer_update_tickets(
  _ trainer: OpaquePointer?, _ missing: mixgrpo_missing_rewards, _ weights: UnsafePointer<Double>?,
  _ weight_count: Int, _ out_metrics: UnsafeMutablePointer<mixgrpo_metrics>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "update_tickets")
    let (result, missing, weights) = try trainer.withdrawing { () throws(MixGRPOError) in
      let result = try HostStruct.optional(out_metrics, "out_metrics")
      let missing: MissingRewards = try choice(missing, "missing")
      return (result, missing, try rewardWeights(weights, count: weight_count, rewards: trainer.rewardNames.count))
    }
    let metrics = try trainer.updateFromTickets(missing: missing, weights: weights.isEmpty ? nil : weights) {
      object.context.report(MIXGRPO_STAGE_UPDATE, done: $0, total: $1)
    }
    result?.write(mixgrpo_metrics(metrics))
    object.log(metrics.warningLines)
  }
}

@_cdecl("mixgrpo_trainer_drop_tickets") @implementation
public func mixgrpo_trainer_drop_tickets(_ trainer: OpaquePointer?) -> mixgrpo_status {
  withStatus { try resolve(trainer, "trainer", as: TrainerObject.self).machine.dropTickets() }
}
