import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

/// What one of several ranks needs to add up gradients with the others, if no sample is excluded.
public struct RankCost: Equatable, Sendable {
  /// Memory for the sums of prompts that wait for others, and for pieces of gradients on their way.
  public let memoryBytes: Int
  /// Bytes of gradients that the rank gives to others for one optimizer step: about twice the gradients' own where its prompts
  /// form one node of the tree.
  public let bytesPerStep: Int
  private let ranks: Int
  private let largestShare: Int

  /// - Parameters:
  ///   - rank: the rank.
  ///   - prompts: P, of all ranks, in one rollout.
  ///   - model: the model that is trained.
  public init(_ rank: Rank, prompts: Int, model: FlowTransformer) {
    self.init(rank, rollouts: [prompts], trained: model.parameterCount)
  }

  /// - Parameters:
  ///   - rollouts: the prompts of all ranks in each rollout of the iteration.
  ///   - trained: trained values.
  package init(_ rank: Rank, rollouts: [Int], trained: Int) {
    let prompts = rollouts.reduce(0, +)
    let places = RankPlaces(rollouts: rollouts, ranks: rank.count)
    (ranks, largestShare) = (rank.count, places.largestShare)
    let tree = places.tree
    let layout = GradientLayout(
      roots: tree.roots(ranks: rank.count, present: Array(0..<prompts)), count: trained)
    let sums = tree.mostNodes(ofRank: rank.index) * trained
    memoryBytes = MemoryLayout<Float>.stride * (sums + layout.memoryCount(of: rank.index))
    bytesPerStep = MemoryLayout<Float>.stride * layout.sentPerStep(of: rank.index)
  }

  /// All bytes that the rank gives to others in one iteration: gradients, rewards, figures and votes.
  /// - Parameters:
  ///   - steps: optimizer steps.
  ///   - rewards: K.
  ///   - groupSize: G.
  public func bytesPerIteration(steps: Int, rewards: Int, groupSize: Int) -> Int {
    guard ranks > 1 else { return 0 }
    let votes = Self.votesPerIteration + Self.votesPerStep * steps
    let figures = steps * largestShare * UpdateMetrics.sumCount + RankFigures.ownCount
    let values = rewards * largestShare * groupSize + figures
    return steps * bytesPerStep + (ranks - 1) * (Self.bytes(ofVotes: votes) + values * MemoryLayout<Double>.stride)
  }

  /// All bytes that the rank with most prompts gives to others in an evaluation whose scores alone are exchanged.
  /// - Parameters:
  ///   - prompts: of the evaluation.
  ///   - scores: of each prompt.
  package static func bytesPerEvaluation(ranks: Int, prompts: Int, scores: Int) -> Int {
    let share = RankPlaces(rollouts: [prompts], ranks: ranks).largestShare
    return (ranks - 1) * (bytes(ofVotes: votesPerEvaluation) + share * scores * MemoryLayout<Double>.stride)
  }

  /// All bytes that the rank with most prompts gives to others when the first rank gets samples, unless it is the first itself.
  /// - Parameters:
  ///   - prompts: of all ranks.
  ///   - values: of the samples of one prompt.
  package static func bytesPerSamples(ranks: Int, prompts: Int, values: Int) -> Int {
    guard ranks > 1 else { return 0 }
    let share = RankPlaces(rollouts: [prompts], ranks: ranks).largestShare
    return (ranks - 1) * bytes(ofVotes: votesPerSamples) + share * values * MemoryLayout<Float>.stride
  }

  /// To one other rank. A vote has two rounds.
  private static func bytes(ofVotes votes: Int) -> Int { 2 * votes * Ballot.size }

  /// Before and after a rollout; at the start of an update, when it has the rewards, and when it begins; before and after the figures.
  private static let votesPerIteration = 7
  /// Before and after gradients are exchanged.
  private static let votesPerStep = 2
  /// When samples are drawn, when the weights are kept, and when the scores are there.
  private static let votesPerEvaluation = 3
  /// When samples are drawn, and when the first rank has them.
  private static let votesPerSamples = 2
}
