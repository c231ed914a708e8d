import MixBasics
import MixFlowModel

/// A deterministic substitute for a text encoder: each word and each position is hashed to a fixed pseudo-random vector.
///
/// It encodes which words occur where, but not their meaning. This is enough for small worlds and tests; real hosts provide the
/// embeddings of their own text encoder as float arrays.
///
/// The formula, so that a host can reproduce it to the last bit on any platform:
/// - Words are the longest runs of ASCII letters, ASCII digits and bytes ≥ 0x80 of the prompt's UTF-8; A–Z become a–z.
/// - `hash(s)` is FNV-1a with 64 bits over the bytes of s.
/// - `draw(s, j)` for j = 0, 1, … is the j-th output of SplitMix64 seeded with `hash(s)`, its top 21 bits as k, then
///   2k + 1 − 2²¹: an odd integer, uniform, of mean 0 and standard deviation 2²¹/√3.
/// - Text row i, of word w: `4·draw(w, j) + 3·draw("#i", j)`, i in decimal from 0, times √3/(5·2²¹) in Float: unit variance.
///   Rows past the last word are 0. Words past `textLength` have no row.
/// - Pooled: `Σ draw(w + "#", j)` over all n words of the prompt, times √3/2²¹, divided by √n, in Double and in this order,
///   then rounded to Float; 0 for a prompt without words.
public struct HashedWordEncoder: Sendable, Equatable {
  /// Rows of text per prompt (L), 1…4096.
  public let textLength: Int
  /// Values per row (J, the model's `joint_attention_dim`), 1…16384.
  public let textWidth: Int
  /// Values of the pooled vector (Q, the model's `pooled_projection_dim`), 1…16384.
  public let pooledWidth: Int

  /// The encoding of one prompt.
  public struct Encoding: Sendable, Equatable {
    /// (L, J), one row per word; rows past the last word are 0.
    public let text: [Float]
    /// (Q)
    public let pooled: [Float]
  }

  /// - Throws: `invalidArgument` that names every size out of range.
  public init(textLength: Int, textWidth: Int, pooledWidth: Int) throws(MixGRPOError) {
    var check = Validation()
    check.require((1...4096).contains(textLength), "textLength", expected: "1…4096", got: textLength)
    check.require((1...16384).contains(textWidth), "textWidth", expected: "1…16384", got: textWidth)
    check.require((1...16384).contains(pooledWidth), "pooledWidth", expected: "1…16384", got: pooledWidth)
    try check.throwIfAny()
    self.textLength = textLength
    self.textWidth = textWidth
    self.pooledWidth = pooledWidth
  }

  /// Encodes one prompt by the formula above. A prompt without words gives zeros.
  public func encode(_ prompt: String) -> Encoding {
    let words = Self.words(of: prompt)
    return Encoding(text: textRows(of: words), pooled: pooled(of: words))
  }

  /// The embeddings of several prompts, in order.
  /// - Throws: `invalidArgument` for no prompt or more than 65 536 of them, `outOfMemory`.
  public func embeddings(of prompts: [String]) throws(MixGRPOError) -> PromptEmbeddings {
    try requireRoom(for: prompts)
    let encodings = prompts.map(encode)
    return try PromptEmbeddings(
      text: encodings.flatMap(\.text), pooled: encodings.flatMap(\.pooled), count: prompts.count, textLength: textLength)
  }

  /// Checks the memory for the encodings of `prompts`, including intermediate copies and the words of the longest prompt.
  package func requireRoom(for prompts: [String]) throws(MixGRPOError) {
    let longest = prompts.reduce(0) { max($0, $1.utf8.count) }
    let values = textLength * textWidth + 2 * pooledWidth
    try Memory.require(bytes: 40 * longest)
    try Memory.require(prompts.count, of: 12 * values)
  }

  /// The lower-case words of a prompt, as UTF-8.
  static func words(of prompt: String) -> [[UInt8]] {
    prompt.utf8.split { !isPartOfWord($0) }.map { word in word.map(lowercased) }
  }

  private func textRows(of words: [[UInt8]]) -> [Float] {
    let scale = Float(3.0.squareRoot() / (5 * HashedDraws.range))
    var text = [Float](repeating: 0, count: textLength * textWidth)
    for (row, word) in words.prefix(textLength).enumerated() {
      var wordDraws = HashedDraws(of: word)
      var positionDraws = HashedDraws(of: Array("#\(row)".utf8))
      for column in 0..<textWidth {
        text[row * textWidth + column] = Float(4 * wordDraws.next() + 3 * positionDraws.next()) * scale
      }
    }
    return text
  }

  private func pooled(of words: [[UInt8]]) -> [Float] {
    var sums = [Int](repeating: 0, count: pooledWidth)
    for word in words {
      var draws = HashedDraws(of: word + Array("#".utf8))
      for column in 0..<pooledWidth { sums[column] += draws.next() }
    }
    let root = Double(max(words.count, 1)).squareRoot()
    return sums.map { Float(Double($0) * (3.0.squareRoot() / HashedDraws.range) / root) }
  }

  private static func isPartOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...: true
    default: false
    }
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}

/// The sequence `draw(s, 0), draw(s, 1), …` of `HashedWordEncoder`.
private struct HashedDraws {
  /// Half the range of a draw: draws are odd integers in −2²¹ ..< 2²¹.
  static let range = 2_097_152.0
  private var generator: SplitMix64

  init(of bytes: [UInt8]) {
    generator = SplitMix64(key: bytes)
  }

  mutating func next() -> Int {
    2 * Int(generator.next() >> 43) + 1 - Int(Self.range)
  }
}
