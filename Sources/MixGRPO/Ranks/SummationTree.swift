/// The fixed order in which the gradients of an iteration's prompts are added up.
///
/// Prompts have places 0, 1, …; a node of height h covers the places k·2^h ..< (k + 1)·2^h. The sum of a node is that of its lower
/// half plus that of its upper half. A half in which no prompt has samples is left out. So the result depends neither on the
/// number of ranks nor on which rank holds which prompt: each sums the largest nodes whose prompts it holds alone.
struct SummationTree {
  /// (P), the rank of each place.
  let owners: [Int]

  /// The places of the smallest node that contains both places.
  static func node(containing a: Int, _ b: Int) -> Range<Int> {
    let height = Int.bitWidth - (a ^ b).leadingZeroBitCount
    let first = (a >> height) << height
    return first..<first + (1 << height)
  }

  /// Whether one rank holds all places of a node.
  func hasOneOwner(_ node: Range<Int>) -> Bool {
    let places = owners[node.clamped(to: owners.indices)]
    return places.allSatisfy { $0 == places.first }
  }

  /// The first places of the nodes that each rank sums alone, in order.
  /// - Parameter present: the places with samples, in order.
  func roots(ranks: Int, present: [Int]) -> [[Int]] {
    var roots = [[Int]](repeating: [], count: ranks)
    for (rank, places) in shares(ranks, present).enumerated() {
      var sum = TreeSum<Void>()
      for place in places { sum.add((), at: place, joins: hasOneOwner) { _, _ in } }
      sum.finish(joins: hasOneOwner) { _, _ in }
      roots[rank] = sum.nodes.map(\.place)
    }
    return roots
  }

  /// The largest number of sums that a rank keeps at once.
  func mostNodes(ofRank rank: Int) -> Int {
    var (sum, most) = (TreeSum<Void>(), 0)
    for place in owners.indices where owners[place] == rank {
      if sum.lowerHalf(for: place, joins: hasOneOwner, { _, _ in }) == nil {
        sum.add((), at: place, joins: hasOneOwner) { _, _ in }
      } else {
        sum.joinAfterLowerHalf(place, joins: hasOneOwner) { _, _ in }
      }
      most = max(most, sum.nodes.count)
    }
    return most
  }

  private func shares(_ ranks: Int, _ present: [Int]) -> [[Int]] {
    var shares = [[Int]](repeating: [], count: ranks)
    for place in present { shares[owners[place]].append(place) }
    return shares
  }
}

/// Sums of nodes of a tree whose terms come in the order of their places. Nodes are joined as soon as nothing can come between.
struct TreeSum<Term> {
  /// The sums that wait for others, with the first place of each.
  private(set) var nodes: [(place: Int, term: Term)] = []

  /// - Parameters:
  ///   - place: behind all earlier ones.
  ///   - joins: whether the sum of a node is wanted here.
  ///   - join: adds the upper half to the lower one.
  mutating func add(
    _ term: Term, at place: Int, joins: (Range<Int>) -> Bool, _ join: (_ lower: Term, _ upper: Term) -> Void
  ) {
    joinNodes(endingBy: place, joins, join)
    nodes.append((place, term))
    joinNodes(endingBy: place + 1, joins, join)
  }

  /// The last sum, if a term at `place` is to be added to it at once. Whoever adds it calls `joinAfterLowerHalf` instead of `add`.
  mutating func lowerHalf(
    for place: Int, joins: (Range<Int>) -> Bool, _ join: (_ lower: Term, _ upper: Term) -> Void
  ) -> Term? {
    joinNodes(endingBy: place, joins, join)
    guard let last = nodes.last else { return nil }
    let node = SummationTree.node(containing: last.place, place)
    return node.upperBound <= place + 1 && joins(node) ? last.term : nil
  }

  /// Joins what a term at `place` has completed.
  mutating func joinAfterLowerHalf(
    _ place: Int, joins: (Range<Int>) -> Bool, _ join: (_ lower: Term, _ upper: Term) -> Void
  ) {
    joinNodes(endingBy: place + 1, joins, join)
  }

  /// Joins what remains when no term follows.
  mutating func finish(
    joins: (Range<Int>) -> Bool, _ join: (_ lower: Term, _ upper: Term) -> Void
  ) {
    joinNodes(endingBy: .max, joins, join)
  }

  private mutating func joinNodes(
    endingBy end: Int, _ joins: (Range<Int>) -> Bool, _ join: (Term, Term) -> Void
  ) {
    while nodes.count > 1 {
      let (lower, upper) = (nodes[nodes.count - 2], nodes[nodes.count - 1])
      let node = SummationTree.node(containing: lower.place, upper.place)
      guard node.upperBound <= end, joins(node) else { return }
      join(lower.term, upper.term)
      nodes.removeLast()
    }
  }
}
