import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

@Suite struct PromptOrderTests {
  @Test(arguments: [(7, 2), (5, 5), (1, 1), (12, 4)])
  func aRoundTakesDifferentPromptsAndRoundsDiffer(count: Int, perIteration: Int) throws {
    let order = try PromptOrder(count: count, perIteration: perIteration, seed: 3)
    let round = (0..<count / perIteration).flatMap { order.rows(iteration: $0) }
    #expect(Set(round).count == round.count)
    #expect(round.allSatisfy { $0 >= 0 && Int($0) < count })
    let rounds = (0..<8).map { number in order.rows(iteration: number * (count / perIteration)) }
    #expect(count == 1 || Set(rounds).count > 1)
    #expect(try PromptOrder(count: count, perIteration: perIteration, seed: 3).rows(iteration: 9) == order.rows(iteration: 9))
  }

  @Test func morePromptsThanThereAreAreRefused() throws {
    #expect(try errorCode { try PromptOrder(count: 3, perIteration: 4, seed: 0) } == .invalidArgument)
    #expect(try errorCode { try PromptOrder(count: 3, perIteration: 0, seed: 0) } == .invalidArgument)
  }
}
