import MixGRPO

/// What a person says about the pictures of a group.
enum Vote: Equatable {
  struct Pair: Equatable {
    let winner: Int
    let loser: Int
  }

  /// At least one, and not all.
  case favourites([Int])
  /// 1…5 for each picture, or none; at least two have stars.
  case stars([Int?])
  case pairs([Pair])
  /// The group says nothing.
  case skipped

  /// Reads one of `{"favourites": [2, 5]}`, `{"stars": [1, null, 5]}`, `{"pairs": [[winner, loser], …]}`, `{"skipped": true}`; other
  /// members are ignored.
  /// - Parameter pictures: G, the number of pictures in the group.
  /// - Throws: `invalidArgument` naming what does not fit.
  init(_ object: JSONObject, pictures: Int) throws(MixGRPOError) {
    let given = ["favourites", "stars", "pairs", "skipped"].filter { object[$0] != nil }
    try require(given.count == 1, "vote", expected: "one of favourites, stars, pairs, skipped", got: given)
    if let list = object["favourites"] {
      self = .favourites(try Self.favourites(list, pictures))
    } else if let list = object["stars"] {
      self = .stars(try Self.stars(list, pictures))
    } else if let list = object["pairs"] {
      self = .pairs(try Self.pairs(list, pictures))
    } else {
      try require(object["skipped"] == .bool(true), "skipped", expected: "true", got: object["skipped"]?.kind ?? "none")
      self = .skipped
    }
  }

  private static func favourites(_ value: JSONValue, _ pictures: Int) throws(MixGRPOError) -> [Int] {
    let indices = (value.array ?? []).compactMap(\.integer)
    let isWhole = indices.count == value.array?.count && Set(indices).count == indices.count
    try require(
      isWhole && indices.allSatisfy((0..<pictures).contains) && (1..<max(pictures, 2)).contains(indices.count), "favourites",
      expected: "1…\(pictures - 1) different pictures of 0…\(pictures - 1)", got: excerpt("\(indices)"))
    return indices.sorted()
  }

  private static func stars(_ value: JSONValue, _ pictures: Int) throws(MixGRPOError) -> [Int?] {
    let list = value.array ?? []
    let isWhole = list.allSatisfy { $0 == .null || $0.integer.map((1...5).contains) == true }
    try require(
      list.count == pictures && isWhole && list.count { $0 != .null } >= 2, "stars",
      expected: "\(pictures) entries, 1…5 or null, at least two of them numbers", got: "\(list.count)")
    return list.map(\.integer)
  }

  private static func pairs(_ value: JSONValue, _ pictures: Int) throws(MixGRPOError) -> [Pair] {
    let images = 0..<pictures
    let list = (value.array ?? []).compactMap { entry -> Pair? in
      let pair = (entry.array ?? []).compactMap(\.integer)
      guard pair.count == 2, pair[0] != pair[1], pair.allSatisfy(images.contains) else { return nil }
      return Pair(winner: pair[0], loser: pair[1])
    }
    try require(
      list.count == value.array?.count && (1...VoteScores.maximumPairs).contains(list.count), "pairs",
      expected: "one or more of [winner, loser], two different pictures of 0…\(pictures - 1)",
      got: "\(value.array?.count ?? 0) of which \(list.count) are valid")
    return list
  }

  var json: JSONObject {
    switch self {
    case .favourites(let indices): ["favourites": .array(indices.map { .integer(Int64($0)) })]
    case .stars(let stars): ["stars": .array(stars.map { $0.map { .integer(Int64($0)) } ?? .null })]
    case .pairs(let pairs): ["pairs": .array(pairs.map { [.integer(Int64($0.winner)), .integer(Int64($0.loser))] })]
    case .skipped: ["skipped": true]
    }
  }

  /// (G), 0…1; NaN for a picture about which nothing is said.
  func scores(pictures: Int) throws(MixGRPOError) -> [Double] {
    switch self {
    case .favourites(let chosen): try VoteScores.ranks(ofRatings: (0..<pictures).map { chosen.contains($0) ? 1 : 0 })
    case .stars(let stars): try VoteScores.ranks(ofRatings: stars.map { $0.map(Double.init) ?? .nan })
    case .pairs(let pairs): try VoteScores.strengths(ofPairs: pairs.map { ($0.winner, $0.loser) }, groupSize: pictures)
    case .skipped: [Double](repeating: .nan, count: pictures)
    }
  }
}
