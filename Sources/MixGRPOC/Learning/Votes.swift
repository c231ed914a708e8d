import CMixGRPO
import MixBasics
import MixLearning

@_cdecl("mixgrpo_scores_from_ratings") @implementation
public func mixgrpo_scores_from_ratings(
  _ ratings: UnsafePointer<Double>?, _ count: Int, _ out_scores: UnsafeMutablePointer<Double>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    try requireRange(count, 1...VoteScores.maximumGroup, "count")
    let ratings = try input(ratings, count: count, "ratings")
    let target = try output(out_scores, capacity: capacity, needed: count, "out_scores")
    target.copy(try VoteScores.ranks(ofRatings: Array(ratings)))
  }
}

@_cdecl("mixgrpo_scores_from_pairs") @implementation
public func mixgrpo_scores_from_pairs(
  _ pairs: UnsafePointer<Int32>?, _ pair_count: Int, _ group_size: Int32, _ out_scores: UnsafeMutablePointer<Double>?,
  _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    try requireRange(pair_count, 0...VoteScores.maximumPairs, "pair_count")
    try requireRange(Int(group_size), 1...VoteScores.maximumGroup, "group_size")
    let indices = try input(pairs, count: 2 * pair_count, "pairs")
    let target = try output(out_scores, capacity: capacity, needed: Int(group_size), "out_scores")
    try Memory.require(pair_count, of: 32)
    let pairs = (0..<pair_count).map { (winner: Int(indices[2 * $0]), loser: Int(indices[2 * $0 + 1])) }
    target.copy(try VoteScores.strengths(ofPairs: pairs, groupSize: Int(group_size)))
  }
}
