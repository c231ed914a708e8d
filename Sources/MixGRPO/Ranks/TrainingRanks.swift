import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixSampling

/// What a trainer with the built-in model does together with the other ranks.
final class TrainingRanks {
  let agreement: RankAgreement
  let sums: GradientSums
  /// Of the latest step of the update in progress.
  private var exchange: GradientExchange?
  /// Of the update in progress.
  private var tree = SummationTree(owners: [])
  private var places = RankPlaces(rollouts: [], ranks: 1)

  private var collective: any Collective { agreement.collective }
  private var rank: Rank { collective.rank }

  /// - Parameter count: trained values.
  init(_ agreement: RankAgreement, count: Int) {
    (self.agreement, sums) = (agreement, GradientSums(count: count))
  }

  // MARK: - Rewards

  /// The rewards of all ranks, (K, P·G), and the places of their prompts for the update.
  /// - Parameter own: (K, own samples), in the order of this rank's prompts.
  func gather(_ own: [[Double]], _ sampled: SampledGroups, groupSize: Int) throws(MixGRPOError) -> [[Double]] {
    places = RankPlaces(rollouts: sampled.promptCounts, ranks: rank.count)
    tree = places.tree
    let most = places.largestShare * groupSize
    let padded = own.flatMap { $0 + Array(repeating: .nan, count: max(0, most - $0.count)) }
    let all = try agreement.gather(padded, count: own.count * most, filler: .nan)
    return own.indices.map { reward in
      places.inOrder(ofEachRank(all, reward * most..<(reward + 1) * most), width: groupSize, filler: .nan)
    }
  }

  /// The same part of the values of each rank.
  /// - Parameter all: (ranks, any number).
  private func ofEachRank(_ all: [Double], _ part: Range<Int>) -> [Double] {
    let size = all.count / rank.count
    var values: [Double] = []
    for first in stride(from: 0, to: all.count, by: size) {
      values += all[first + part.lowerBound..<first + part.upperBound]
    }
    return values
  }

  // MARK: - Gradients

  /// Takes over the gradients of the prompt at `place`.
  func close(_ place: Int, _ model: FlowTransformer, _ context: RunContext) throws(MixGRPOError) {
    try sums.close(place, model.gradients().base, in: tree, workers: Workers(threads: context.threads))
  }

  /// The model's gradients ← those of the minibatch, summed over all ranks.
  /// - Returns: the error that all ranks report.
  func sumGradients(_ machine: ModelFreeTrainer, _ model: FlowTransformer, _ context: RunContext) -> MixGRPOError? {
    var prepared: GradientExchange?
    let own = failure { () throws(MixGRPOError) in
      try context.checkCancelled()
      sums.finish(in: tree, workers: Workers(threads: context.threads))
      prepared = try prepare(machine.running?.presentPlaces ?? [], model)
    }
    if let error = agreement.vote(own) { return error }
    let exchanged = failure { () throws(MixGRPOError) in
      let gradients = try model.gradients()
      if let prepared {
        try prepared.run(sums.roots, into: gradients.base)
      } else if let only = sums.roots.first {
        gradients.base.update(from: only.base, count: gradients.count)
      }
    }
    sums.reset()
    return agreement.vote(exchanged)
  }

  /// Nil for a rank without others.
  private func prepare(_ present: [Int], _ model: FlowTransformer) throws(MixGRPOError) -> GradientExchange? {
    guard rank.count > 1 else { return nil }
    let roots = tree.roots(ranks: rank.count, present: present)
    guard roots[rank.index].count == sums.roots.count else {
      throw MixGRPOError(.internalFault, "gradients: expected \(roots[rank.index].count) sums, got \(sums.roots.count)")
    }
    let layout = GradientLayout(roots: roots, count: try model.gradients().count)
    if let exchange, exchange.layout == layout { return exchange }
    exchange = nil
    exchange = try GradientExchange(collective, layout)
    return exchange
  }

  /// Gives back the memory of an update, which the next one requests again.
  func release() {
    sums.release()
    exchange = nil
  }

  // MARK: - Figures

  /// Gives the trainer the figures of all ranks.
  /// - Returns: the error that all ranks report.
  func combineFigures(_ machine: ModelFreeTrainer, _ context: RunContext) -> MixGRPOError? {
    if let error = agreement.vote(failure { () throws(MixGRPOError) in try context.checkCancelled() }) { return error }
    var combined: RankFigures?
    let own = failure { () throws(MixGRPOError) in combined = try figures(machine) }
    if let error = agreement.vote(own) { return error }
    return failure { () throws(MixGRPOError) in
      guard let combined else { throw MixGRPOError(.internalFault, "figures: expected those of all ranks, got none") }
      try machine.submit(combined)
    }
  }

  /// Sums over the prompts in the order of minibatches and places, whichever rank has them.
  private func figures(_ machine: ModelFreeTrainer) throws(MixGRPOError) -> RankFigures {
    let work = try machine.combining("figures")
    let (update, figures) = (work.guarded.update, work.figures)
    let (most, width) = (places.largestShare, UpdateMetrics.sumCount)
    let indexOfPlace = Dictionary(uniqueKeysWithValues: places.places(of: rank.index).enumerated().map { ($1, $0) })
    let none = UpdateMetrics().sums
    var blocks = Array(repeating: none, count: update.minibatchCount * most)
    for block in update.blocks {
      guard let index = indexOfPlace[block.place] else { continue }
      blocks[block.minibatch * most + index] = block.metrics.sums
    }
    let size = blocks.count * width + RankFigures.ownCount
    let all = try agreement.gather(blocks.flatMap { $0 } + figures.own, count: size, filler: 0)
    var sums: [Double] = []
    for minibatch in 0..<update.minibatchCount {
      let part = minibatch * most * width..<(minibatch + 1) * most * width
      sums += places.inOrder(ofEachRank(all, part), width: width, filler: 0)
    }
    let own = ofEachRank(all, size - RankFigures.ownCount..<size)
    return try figures.combined(policy: Self.rows(of: sums, width: width), Self.rows(of: own, width: RankFigures.ownCount))
  }

  private static func rows(of values: [Double], width: Int) -> [[Double]] {
    stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
  }
}
