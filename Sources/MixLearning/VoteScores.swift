import MixBasics

/// Scores of the images of a group from the votes of a person, to be used as a reward.
///
/// A person says which images of a group are better, not how good each is. Both scores are 0…1 and use no function of the C
/// library, so that votes that were stored give the same bits on every machine.
public enum VoteScores {
  /// Most images of a group.
  public static let maximumGroup = 4_096
  /// Most pairs of a group.
  public static let maximumPairs = 65_536
  private static let maximumRounds = 1_000
  private static let tolerance = 1e-12

  /// Mean normalised ranks: the share of the other rated images that an image beats, where a tie counts as half.
  ///
  /// Stars are ratings; so are favourites, as 1 for a favourite and 0 for an image that was passed over.
  /// - Parameter ratings: (G), higher is better; NaN for an image without a rating.
  /// - Returns: (G), 0…1; NaN for an image without a rating, 0.5 for the only image that has one.
  /// - Throws: `invalidArgument` unless there are 1…4096 ratings, none of them infinite.
  public static func ranks(ofRatings ratings: [Double]) throws(MixGRPOError) -> [Double] {
    try require((1...maximumGroup).contains(ratings.count), "ratings", expected: "1…\(maximumGroup)", got: ratings.count)
    let infinite = ratings.firstIndex { $0.isInfinite }
    try require(
      infinite == nil, "ratings[\(infinite ?? 0)]", expected: "a finite value, or NaN for no rating",
      got: infinite.map { ratings[$0] } ?? 0)
    let rated = ratings.filter { !$0.isNaN }
    guard rated.count > 1 else { return ratings.map { $0.isNaN ? .nan : 0.5 } }
    return ratings.map { rating in
      if rating.isNaN { return .nan }
      let beaten = rated.count { $0 < rating }
      let tied = rated.count { $0 == rating } - 1
      return (Double(beaten) + 0.5 * Double(tied)) / Double(rated.count - 1)
    }
  }

  /// Strengths of the model of Bradley and Terry (Biometrika 39, 1952), in which image i beats image j with probability
  /// γᵢ/(γᵢ + γⱼ): the most likely ones if each image of a pair has also drawn once against an image of strength 1. This prior
  /// keeps the strength of an image that won or lost every pair finite.
  ///
  /// They are found by the steps of Hunter (Annals of Statistics 32, 2004), γᵢ ← winsᵢ / Σ 1/(γᵢ + γⱼ), until no score changes by
  /// more than 1e-12, at most 1,000 times.
  /// - Parameters:
  ///   - pairs: winner and loser; a pair may come several times, and in both orders.
  ///   - groupSize: G, 1…4096.
  /// - Returns: (G), γ/(1 + γ), the probability to beat an image of strength 1; NaN for an image in no pair.
  /// - Throws: `invalidArgument` for indices outside 0..<G, an image paired with itself, and more than 65,536 pairs.
  public static func strengths(
    ofPairs pairs: [(winner: Int, loser: Int)], groupSize: Int
  ) throws(MixGRPOError) -> [Double] {
    try validate(pairs, groupSize)
    var wins = [Double](repeating: 0.5, count: groupSize)
    var isPaired = [Bool](repeating: false, count: groupSize)
    for pair in pairs {
      wins[pair.winner] += 1
      (isPaired[pair.winner], isPaired[pair.loser]) = (true, true)
    }
    var strengths = [Double](repeating: 1, count: groupSize)
    for _ in 0..<maximumRounds {
      let next = step(strengths, wins, pairs)
      let change = zip(next, strengths).map { abs(score($0) - score($1)) }.max() ?? 0
      strengths = next
      if change <= tolerance { break }
    }
    return zip(strengths, isPaired).map { $1 ? score($0) : .nan }
  }

  private static func step(
    _ strengths: [Double], _ wins: [Double], _ pairs: [(winner: Int, loser: Int)]
  ) -> [Double] {
    var weights = strengths.map { 1 / ($0 + 1) }
    for pair in pairs {
      let share = 1 / (strengths[pair.winner] + strengths[pair.loser])
      weights[pair.winner] += share
      weights[pair.loser] += share
    }
    return zip(wins, weights).map { $0 / $1 }
  }

  private static func score(_ strength: Double) -> Double { strength / (1 + strength) }

  private static func validate(_ pairs: [(winner: Int, loser: Int)], _ groupSize: Int) throws(MixGRPOError) {
    try require((1...maximumGroup).contains(groupSize), "group_size", expected: "1…\(maximumGroup)", got: groupSize)
    try require(pairs.count <= maximumPairs, "pair_count", expected: "at most \(maximumPairs)", got: pairs.count)
    let images = 0..<groupSize
    for (index, pair) in pairs.enumerated() {
      try require(
        images.contains(pair.winner) && images.contains(pair.loser) && pair.winner != pair.loser, "pairs[\(index)]",
        expected: "two different images of 0…\(groupSize - 1)", got: "\(pair.winner), \(pair.loser)")
    }
  }
}
