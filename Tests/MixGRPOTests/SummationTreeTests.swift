import Testing

@testable import MixGRPO

@Suite struct SummationTreeTests {
  /// The sum of the places with samples as text, such as ((0 1) 2), by so many ranks.
  private func text(places: Int, ranks: Int, present: [Int]) -> String {
    let tree = RankPlaces(rollouts: [places], ranks: ranks).tree
    final class Node { var text = "" }
    func node(_ text: String) -> Node {
      let node = Node()
      node.text = text
      return node
    }
    func join(_ lower: Node, _ upper: Node) { lower.text = "(\(lower.text) \(upper.text))" }
    var all: [(place: Int, term: Node)] = []
    for rank in 0..<ranks {
      var sum = TreeSum<Node>()
      for place in present where tree.owners[place] == rank {
        if let lower = sum.lowerHalf(for: place, joins: tree.hasOneOwner, join) {
          join(lower, node("\(place)"))
          sum.joinAfterLowerHalf(place, joins: tree.hasOneOwner, join)
        } else {
          sum.add(node("\(place)"), at: place, joins: tree.hasOneOwner, join)
        }
      }
      sum.finish(joins: tree.hasOneOwner, join)
      #expect(sum.nodes.map(\.place) == tree.roots(ranks: ranks, present: present)[rank])
      all += sum.nodes
    }
    var sum = TreeSum<Node>()
    for (place, term) in all { sum.add(term, at: place, joins: { _ in true }, join) }
    sum.finish(joins: { _ in true }, join)
    return sum.nodes.map(\.term.text).joined(separator: " and ")
  }

  @Test func placesAreAddedInHalves() {
    #expect(text(places: 5, ranks: 1, present: [0, 1, 2, 3, 4]) == "(((0 1) (2 3)) 4)")
    #expect(text(places: 8, ranks: 1, present: [1, 2, 6]) == "((1 2) 6)")
    #expect(text(places: 1, ranks: 1, present: [0]) == "0")
  }

  @Test(arguments: 1...17) func theSumDoesNotDependOnTheRanks(places: Int) {
    for absent in 0..<4 {
      let present = (0..<places).filter { absent == 0 || ($0 * 7 + absent) % 4 != 0 }
      guard !present.isEmpty else { continue }
      let expected = text(places: places, ranks: 1, present: present)
      for ranks in 2...20 {
        #expect(text(places: places, ranks: ranks, present: present) == expected, "\(ranks) ranks, \(present)")
      }
    }
  }

  @Test func aRankKeepsOneSumForEachHalving() {
    for (prompts, most) in [(1, 1), (2, 1), (4, 2), (8, 3), (64, 6)] {
      #expect(RankPlaces(rollouts: [prompts], ranks: 1).tree.mostNodes(ofRank: 0) == most)
    }
    #expect(RankPlaces(rollouts: [64], ranks: 3).tree.mostNodes(ofRank: 1) <= 12)
  }

  @Test func aPowerOfTwoOfRanksSendsTwiceTheGradients() throws {
    for ranks in [2, 4, 8] {
      let cost = RankCost(try Rank(0, of: ranks), rollouts: [16], trained: 1 << 20)
      #expect(cost.bytesPerStep == 2 * 4 * (1 << 20) * (ranks - 1) / ranks)
    }
    #expect(RankCost(.alone, rollouts: [16], trained: 100).bytesPerStep == 0)
  }

  /// The limit of MPI's counts.
  @Test(arguments: [2, 1_000, 1_000_000], [1, 20, 1_000]) func noMessageHasTwoGibibytes(ranks: Int, roots: Int) {
    guard ranks * roots <= 1_000_000 else { return }
    let layout = GradientLayout(roots: Array(repeating: Array(0..<roots), count: ranks), count: 1 << 40)
    for values in [layout.sentCount(of: 0), layout.receivedCount, layout.gatheredCount] { #expect(4 * values < 1 << 31) }
  }
}
