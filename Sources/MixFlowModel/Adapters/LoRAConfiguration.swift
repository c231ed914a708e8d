import MixBasics

/// Settings of a new low-rank adapter (LoRA, Hu et al., arXiv 2106.09685): W′ = W + scale·B·A, W frozen.
public struct LoRAConfiguration: Equatable, Sendable {
  /// Rows of A and columns of B, 1 or more, and no more than a target has rows or columns.
  public var rank = 16
  /// The product B·A counts α/r times, above 0 and at most 65536.
  public var alpha = 16.0
  /// Whether the product counts α/√r times (rank-stabilized, arXiv 2312.03732).
  public var isRankStabilized = false
  /// The linear layers to adapt, each by its checkpoint name, by the end of its name after a dot, as in PEFT, or by a pattern in which
  /// `*` stands for any characters. Empty for all layers of the blocks except their modulations.
  public var targets: [String] = []
  /// Of the first values of A; B starts at 0.
  public var seed: UInt64 = 0

  /// The default settings.
  public init() {}

  /// The factor of B·A.
  public var scale: Double { alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank)) }

  /// - Throws: `invalidArgument` naming every invalid field.
  public func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require((1...65_536).contains(rank), "rank", expected: "1…65536", got: rank)
    check.require(alpha > 0 && alpha <= 65_536, "alpha", expected: "above 0, at most 65536", got: alpha)
    for target in targets where target.isEmpty {
      check.require(false, "targets", expected: "names of layers", got: "an empty one")
    }
    try check.throwIfAny()
  }
}

/// A name or pattern that selects linear layers.
struct LayerPattern {
  let text: String

  /// Whether a layer's checkpoint name is selected.
  func matches(_ name: String) -> Bool {
    if text.utf8.contains(UInt8(ascii: "*")) { return Self.matches(Array(name.utf8), Array(text.utf8)) }
    return name == text || name.hasSuffix("." + text)
  }

  /// Without recursion: after a mismatch the last `*` takes one more character.
  private static func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
    var (n, p, star, resumed) = (0, 0, -1, 0)
    while n < name.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        (star, resumed) = (p, n)
        p += 1
      } else if p < pattern.count, pattern[p] == name[n] {
        (n, p) = (n + 1, p + 1)
      } else if star >= 0 {
        resumed += 1
        (n, p) = (resumed, star + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
