import MixBasics
import Testing

@testable import MixLearning

@Suite struct VoteScoresTests {
  @Test func ranksAreTheShareOfTheOthersThatAreBeaten() throws {
    #expect(try VoteScores.ranks(ofRatings: [1, 2, 3]) == [0, 0.5, 1])
    #expect(try VoteScores.ranks(ofRatings: [5, 1, 5, 3]) == [5.0 / 6, 0, 5.0 / 6, 1.0 / 3])
    // Three favourites of twelve: each beats nine of eleven and ties with two; the others beat none and tie with eight.
    let favourites = try VoteScores.ranks(ofRatings: (0..<12).map { $0 < 3 ? 1 : 0 })
    #expect(favourites == (0..<12).map { $0 < 3 ? 10.0 / 11 : 4.0 / 11 })
  }

  @Test func imagesWithoutARatingAreExcludedAndChangeNothing() throws {
    let scores = try VoteScores.ranks(ofRatings: [.nan, 1, .nan, 2])
    #expect(scores[0].isNaN && scores[2].isNaN && scores[1] == 0 && scores[3] == 1)
    #expect(try VoteScores.ranks(ofRatings: [.nan, 4])[1] == 0.5)
    #expect(try VoteScores.ranks(ofRatings: [.nan, .nan]).allSatisfy(\.isNaN))
  }

  /// With one pair the winner's strength is γ and the loser's 1/γ, and γ solves γ³ − γ² − γ − 3 = 0: 1.5 wins are the expected
  /// wins γ²/(γ² + 1) + γ/(γ + 1).
  @Test func onePairHasTheStrengthsThatSolveItsEquation() throws {
    let scores = try VoteScores.strengths(ofPairs: [(0, 1)], groupSize: 2)
    let strength = scores[0] / (1 - scores[0])
    #expect(abs(strength * strength * strength - strength * strength - strength - 3) <= 1e-9)
    #expect(abs(scores[0] + scores[1] - 1) <= 1e-11)
    #expect(abs(scores[0] - 0.68055) <= 1e-5)
  }

  @Test func pairsInBothOrdersSayNothing() throws {
    let scores = try VoteScores.strengths(ofPairs: [(0, 1), (1, 0)], groupSize: 3)
    #expect(scores[0] == 0.5 && scores[1] == 0.5 && scores[2].isNaN)
  }

  /// The expected number of wins equals the number of wins, with the draw of the prior.
  @Test func strengthsExplainTheWins() throws {
    let pairs = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (0, 4), (1, 4), (1, 4)]
    let scores = try VoteScores.strengths(ofPairs: pairs.map { (winner: $0.0, loser: $0.1) }, groupSize: 5)
    let strengths = scores.map { $0 / (1 - $0) }
    for image in 0..<5 {
      var (wins, expected) = (0.5, strengths[image] / (strengths[image] + 1))
      for (winner, loser) in pairs where winner == image || loser == image {
        wins += winner == image ? 1 : 0
        expected += strengths[image] / (strengths[winner] + strengths[loser])
      }
      #expect(abs(wins - expected) <= 1e-9)
    }
    #expect(scores[0] > scores[1] && scores[1] > scores[2] && scores[3] > scores[4])
  }

  /// With so many pairs the rounds end before the scores are the most likely ones; they are still in order.
  @Test(arguments: [1, 20, 65_536]) func alwaysWinningStaysFinite(pairs: Int) throws {
    let scores = try VoteScores.strengths(
      ofPairs: Array(repeating: (winner: 0, loser: 1), count: pairs), groupSize: 2)
    #expect(scores[0] > 0.6 && scores[0] < 1 && scores[1] > 0 && scores[1] < 0.4)
  }

  @Test func votesThatMakeNoSenseAreRefused() {
    func refused(_ field: String, _ body: () throws -> [Double]) {
      let error = #expect(throws: MixGRPOError.self) { _ = try body() }
      #expect(error?.code == .invalidArgument && error?.message.hasPrefix(field) == true, "\(error?.message ?? "")")
    }
    refused("ratings") { try VoteScores.ranks(ofRatings: []) }
    refused("ratings") { try VoteScores.ranks(ofRatings: [1, .infinity]) }
    for pair in [(1, 1), (0, 2), (0, -1)] {
      refused("pairs") { try VoteScores.strengths(ofPairs: [pair], groupSize: 2) }
    }
    refused("group_size") { try VoteScores.strengths(ofPairs: [], groupSize: 0) }
  }
}
