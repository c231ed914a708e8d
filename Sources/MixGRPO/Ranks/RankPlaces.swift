import MixSampling

/// The places of the prompts of an iteration: those of its first rollout, then those of its second, and so on. Each rollout is
/// shared out by itself.
package struct RankPlaces {
  /// Prompts of each rollout, of all ranks.
  let rollouts: [Int]
  let ranks: Int

  package init(rollouts: [Int], ranks: Int) { (self.rollouts, self.ranks) = (rollouts, ranks) }

  /// P, of all rollouts and ranks.
  var count: Int { rollouts.reduce(0, +) }

  func places(of rank: Int) -> [Int] {
    var (places, first) = ([Int](), 0)
    for prompts in rollouts {
      places += Rank.share(rank, of: ranks, prompts: prompts).map { first + $0 }
      first += prompts
    }
    return places
  }

  /// Prompts of the rank that has most.
  package var largestShare: Int { (0..<ranks).map { places(of: $0).count }.max() ?? 0 }

  var tree: SummationTree {
    var owners = [Int](repeating: 0, count: count)
    for rank in 0..<ranks { for place in places(of: rank) { owners[place] = rank } }
    return SummationTree(owners: owners)
  }

  /// The values of all ranks in the order of the places.
  /// - Parameters:
  ///   - gathered: (ranks, largestShare · width).
  ///   - width: values of one prompt.
  ///   - filler: any value.
  package func inOrder<Value>(_ gathered: [Value], width: Int, filler: Value) -> [Value] {
    let stride = largestShare * width
    var ordered = [Value](repeating: filler, count: count * width)
    for rank in 0..<ranks {
      for (index, place) in places(of: rank).enumerated() {
        let first = rank * stride + index * width
        ordered.replaceSubrange(place * width..<(place + 1) * width, with: gathered[first..<first + width])
      }
    }
    return ordered
  }
}
