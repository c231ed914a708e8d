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
    let roots = tree.roots(ranks: rank.count, present: Array(0..<prompts))
    let own = roots[rank.index].count
    let sums = tree.mostNodes(ofRank: rank.index) * trained
    let size = GradientExchange.pieceSize(ranks: rank.count)
    let width = GradientPiece(values: 0..<min(trained, size), ranks: rank.count).width
    let exchange = width * (max(own, 1) * rank.count + max(roots.joined().count, 1) + rank.count)
    memoryBytes = MemoryLayout<Float>.stride * (sums + (rank.count > 1 ? exchange : 0))
    var sent = 0
    for first in stride(from: 0, to: trained, by: size) {
      let piece = GradientPiece(values: first..<min(trained, first + size), ranks: rank.count)
      sent += own * (piece.values.count - piece.slice(of: rank.index).count) + piece.width * (rank.count - 1)
    }
    bytesPerStep = MemoryLayout<Float>.stride * sent
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
    let gathered = 2 * votes * Ballot.size + values * MemoryLayout<Double>.stride
    return steps * bytesPerStep + (ranks - 1) * gathered
  }

  /// Before and after a rollout; at the start of an update, when it has the rewards, and when it begins; before and after the figures.
  private static let votesPerIteration = 7
  /// Before and after gradients are exchanged.
  private static let votesPerStep = 2
}
