import MixBasics

/// The place of a process among those that train one model together.
public struct Rank: Equatable, Sendable {
  /// 0…count − 1
  public let index: Int
  /// Number of processes.
  public let count: Int

  /// The only process.
  public static let alone = Rank(unchecked: 0, of: 1)

  /// - Throws: `invalidArgument` for an index outside 0…count − 1, or a count outside 1…1000000.
  public init(_ index: Int, of count: Int) throws(MixGRPOError) {
    var check = Validation()
    check.require((1...1_000_000).contains(count), "rank_count", expected: "1…1000000", got: count)
    check.require((0..<max(count, 1)).contains(index), "rank", expected: "0…\(max(count, 1) - 1)", got: index)
    try check.throwIfAny()
    self.init(unchecked: index, of: count)
  }

  private init(unchecked index: Int, of count: Int) { (self.index, self.count) = (index, count) }

  /// The prompts of this rank, consecutive places among all. The numbers of two ranks differ by 1 at most, and may be 0.
  public func share(ofPrompts prompts: Int) -> Range<Int> { Self.share(index, of: count, prompts: prompts) }

  package static func share(_ index: Int, of count: Int, prompts: Int) -> Range<Int> {
    index * prompts / count..<(index + 1) * prompts / count
  }
}
