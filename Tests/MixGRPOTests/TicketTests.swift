import Foundation
import MixGRPO
import TestSupport
import Testing

/// Iterations in parts, with rewards that come later.
@Suite struct TicketTests {
  private func brightness(_ run: TinyRun, _ part: TicketedSamples) -> [[Double]] {
    part.samples.withUnsafeBufferPointer { [run.brightness($0)] }
  }

  private func parts(of run: TinyRun) throws -> [TicketedSamples] {
    try run.prompts.map { try run.trainer.ticketedRollout(prompts: [$0]) }
  }

  @Test(arguments: [2, 5]) func ticketsInAnyOrderGiveTheBitsOfOneRollout(maxBatch: Int) throws {
    var (whole, inParts) = (try TinyRun(maxBatch: maxBatch), try TinyRun(maxBatch: maxBatch))
    whole.prompts = [2, 0, 1]
    inParts.prompts = whole.prompts
    for _ in 0..<3 {
      let expected = try whole.iterate()
      let first = try inParts.trainer.ticketedRollout(prompts: [2])
      let rest = try inParts.trainer.ticketedRollout(prompts: [0, 1])
      try inParts.trainer.inbox.submit(brightness(inParts, rest), for: rest.ticket)
      try inParts.trainer.inbox.submit(brightness(inParts, first), for: first.ticket)
      let metrics = try inParts.trainer.updateFromTickets()
      #expect(metrics.rewardMean == expected.rewardMean && metrics.policy == expected.policy)
      #expect(metrics.modelCallsRollout == expected.modelCallsRollout && metrics.iteration == expected.iteration)
      #expect(metrics.policy.firstRatioMin == 1 && metrics.policy.firstRatioMax == 1)
      let (weights, expectedWeights) = (inParts.weights, whole.weights)
      #expect(zip(weights, expectedWeights).allSatisfy { $0 == $1 } && weights.count == expectedWeights.count)
    }
  }

  @Test func samplesArePartsOfTheWholeRollout() throws {
    let run = try TinyRun()
    let whole = try Array(run.trainer.rollout(prompts: run.prompts))
    #expect(try parts(of: run).flatMap(\.samples) == whole)
  }

  /// The second rollout goes on only when scoring has begun, and scoring ends only when the second rollout has.
  @Test func aSlowRewardOverlapsWithTheNextRollout() throws {
    let run = try TinyRun()
    let (began, drawn, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let first = try run.trainer.ticketedRollout(prompts: [0])
    let (inbox, rewards) = (run.trainer.inbox, brightness(run, first))
    Thread.detachNewThread {
      began.signal()
      drawn.wait()
      try? inbox.submit(rewards, for: first.ticket)
      ended.signal()
    }
    var hasBegun = false
    let second = try run.trainer.ticketedRollout(prompts: [1]) { _, _ in
      if !hasBegun { hasBegun = began.wait(timeout: .now() + 60) == .success }
    }
    #expect(hasBegun && inbox.openTickets == [first.ticket, second.ticket])
    try inbox.submit(brightness(run, second), for: second.ticket)
    drawn.signal()
    #expect(ended.wait(timeout: .now() + 60) == .success && inbox.openTickets.isEmpty)
    try run.trainer.updateFromTickets()
  }

  @Test func anUpdateNamesTheTicketsWithoutRewards() throws {
    let run = try TinyRun()
    let parts = try parts(of: run)
    #expect(run.trainer.inbox.openTickets == parts.map(\.ticket))
    try run.trainer.inbox.submit(brightness(run, parts[0]), for: parts[0].ticket)
    let error = #expect(throws: MixGRPOError.self) { try run.trainer.updateFromTickets() }
    #expect(error?.code == .invalidState && error?.message.contains("[\(parts[1].ticket)]") == true)
    try run.trainer.inbox.submit(brightness(run, parts[1]), for: parts[1].ticket)
    try run.trainer.updateFromTickets()
  }

  @Test func missingRewardsMayBeLeftOut() throws {
    let (run, other) = (try TinyRun(), try TinyRun())
    let parts = try parts(of: run)
    try run.trainer.inbox.submit(brightness(run, parts[1]), for: parts[1].ticket)
    let metrics = try run.trainer.updateFromTickets(missing: .exclude)
    let rewards = other.brightness(try other.trainer.rollout(prompts: [0, 1]))
    try other.trainer.update(rewards: [(0..<6).map { _ in Double.nan } + rewards[6...]])
    #expect(metrics.failedRewards == 6 && run.weights == other.weights)
  }

  @Test func ticketsAreTakenOnceAndOnlyInTheirIteration() throws {
    let run = try TinyRun()
    let inbox = run.trainer.inbox
    func refused(_ code: MixGRPOError.Code, _ ticket: RolloutTicket, _ rewards: [[Double]]) {
      let error = #expect(throws: MixGRPOError.self) { try inbox.submit(rewards, for: ticket) }
      #expect(error?.code == code)
    }
    let part = try run.trainer.ticketedRollout(prompts: [0])
    let rewards = brightness(run, part)
    refused(.invalidArgument, part.ticket, [rewards[0].dropLast()])
    refused(.invalidArgument, part.ticket, [])
    refused(.invalidArgument, RolloutTicket(number: 99), rewards)
    try inbox.submit(rewards, for: part.ticket)
    refused(.invalidState, part.ticket, rewards)
    try run.trainer.updateFromTickets()
    refused(.invalidState, part.ticket, rewards)
    let next = try run.trainer.ticketedRollout(prompts: [0])
    #expect(next.ticket.number > part.ticket.number)
    run.trainer.dropTickets()
    refused(.invalidState, next.ticket, rewards)
    #expect(try errorCode { try run.trainer.updateFromTickets() } == .invalidState)
    try run.iterate()
  }

  @Test func oneIterationDoesNotMixBothWays() throws {
    let run = try TinyRun()
    let part = try run.trainer.ticketedRollout(prompts: [0])
    #expect(try errorCode { try run.trainer.rollout(prompts: [1]) } == .invalidState)
    #expect(try errorCode { try run.trainer.update(rewards: brightness(run, part)) } == .invalidState)
    #expect(try errorCode { try run.trainer.ticketedRollout(prompts: [0]) } == .invalidArgument)
    run.trainer.window = SDEWindow(start: 3, length: 3)
    #expect(try errorCode { try run.trainer.ticketedRollout(prompts: [1]) } == .invalidArgument)
    run.trainer.window = nil
    #expect(run.trainer.inbox.openTickets == [part.ticket])
  }

  @Test func aCancelledUpdateKeepsTheTickets() throws {
    let run = try TinyRun()
    let before = run.weights
    for part in try parts(of: run) { try run.trainer.inbox.submit(brightness(run, part), for: part.ticket) }
    run.context.cancel()
    #expect(try errorCode { try run.trainer.updateFromTickets() } == .cancelled)
    run.context.resetCancel()
    #expect(run.weights == before)
    try run.trainer.updateFromTickets()
    #expect(run.weights != before)
  }

  @Test func aStoppedUpdateOfTicketsGoesOnOrIsDropped() throws {
    let learning = TinyRun.learning { ($0.undo, $0.safety.maxVelocityChange) = (.none, 0) }
    let (run, undisturbed) = (try TinyRun(learning: learning), try TinyRun())
    for part in try parts(of: run) { try run.trainer.inbox.submit(brightness(run, part), for: part.ticket) }
    let error = #expect(throws: MixGRPOError.self) {
      try run.trainer.updateFromTickets { done, total in if done > total / 2 { run.context.cancel() } }
    }
    #expect(error?.code == .cancelled)
    run.context.resetCancel()
    let refused = #expect(throws: MixGRPOError.self) { try run.trainer.ticketedRollout(prompts: [2]) }
    #expect(refused?.code == .invalidState)
    try run.trainer.updateFromTickets()
    try undisturbed.iterate()
    let isSame = run.weights == undisturbed.weights
    #expect(isSame && run.trainer.iteration == 1)
  }

  @Test func promptsOfAllTicketsCountForTheBudget() throws {
    // The smallest budget that an iteration with one prompt fits in, even a sample at a time.
    var (refused, least) = (0, try TinyRun(side: 14).trainer.memory(prompts: 1).peakBytes)
    while least - refused > 64 {
      let budget = (refused + least) / 2
      do {
        _ = try TinyRun(side: 14, maxBytes: budget)
        least = budget
      } catch let error as MixGRPOError where error.code == .outOfMemory {
        refused = budget
      }
    }
    let run = try TinyRun(side: 14, maxBytes: least)
    _ = try run.trainer.ticketedRollout(prompts: [0])
    let error = #expect(throws: MixGRPOError.self) {
      _ = try run.trainer.ticketedRollout(prompts: [1])
      _ = try run.trainer.ticketedRollout(prompts: [2])
    }
    #expect(error?.code == .outOfMemory && error?.message.contains("max_bytes") == true)
  }
}
