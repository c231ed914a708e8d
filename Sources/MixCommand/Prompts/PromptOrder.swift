import MixGRPO

/// Selects the prompts of an iteration: all prompts in a shuffled order, reshuffled in each round. Depends only on seed and
/// iteration.
struct PromptOrder {
  let count: Int
  let perIteration: Int
  let seed: UInt64

  /// - Throws: `invalidArgument` when an iteration needs more prompts than there are.
  init(count: Int, perIteration: Int, seed: UInt64) throws(MixGRPOError) {
    try require(
      (1...max(count, 1)).contains(perIteration), "prompts_per_iteration", expected: "1…\(count) (the number of prompts)",
      got: perIteration)
    (self.count, self.perIteration, self.seed) = (count, perIteration, seed)
  }

  /// Distinct rows. Prompts at the end of a round that do not fill an iteration are not used in this round.
  func rows(iteration: Int) -> [Int32] {
    let iterationsPerRound = count / perIteration
    let order = order(round: iteration / iterationsPerRound)
    let first = iteration % iterationsPerRound * perIteration
    return order[first..<first + perIteration].map { Int32(truncatingIfNeeded: $0) }
  }

  private func order(round: Int) -> [Int] {
    var random = SplitMix64(key: "prompts of round \(round), seed \(seed)".utf8)
    var order = Array(0..<count)
    for index in order.indices.dropFirst().reversed() {
      order.swapAt(index, random.below(UInt32(truncatingIfNeeded: index + 1)))
    }
    return order
  }
}
