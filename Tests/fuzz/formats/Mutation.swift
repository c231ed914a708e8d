/// Makes inputs that are nearly right: damaged copies of good ones, and of those that showed something new.
struct Mutation {
  private var state: UInt64
  private(set) var corpus: [[UInt8]]
  private let tokens: [[UInt8]]
  private var seen: Set<String> = []
  private static let largest = 1 << 14
  private static let mostKept = 4096

  init(seed: UInt64, samples: [[UInt8]], tokens: [String]) {
    state = seed
    corpus = samples
    self.tokens = tokens.map { Array($0.utf8) }
  }

  /// An input whose outcome was not seen before joins those that others are made of.
  mutating func note(_ input: [UInt8], outcome: String) {
    let shape = String(outcome.filter { !$0.isNumber }.prefix(160))
    guard corpus.count < Self.mostKept, seen.insert(shape).inserted else { return }
    corpus.append(input)
  }

  mutating func next() -> [UInt8] {
    var input = corpus[below(corpus.count)]
    for _ in 0...below(below(4) == 0 ? 16 : 3) { change(&input) }
    return Array(input.prefix(Self.largest))
  }

  // MARK: Changes

  private mutating func change(_ input: inout [UInt8]) {
    switch below(10) {
    case 0: flip(&input)
    case 1: overwrite(&input, with: [UInt8(truncatingIfNeeded: bits())])
    case 2: overwrite(&input, with: number())
    case 3: overwrite(&input, with: tokens[below(tokens.count)])
    case 4: insert(tokens[below(tokens.count)], into: &input)
    case 5: insert(Array(String(describing: interesting()).utf8), into: &input)
    case 6: remove(from: &input)
    case 7: insert(piece(of: input), into: &input)
    case 8: insert(piece(of: corpus[below(corpus.count)]), into: &input)
    default: input = Array(input.prefix(below(input.count + 1)))
    }
  }

  private mutating func flip(_ input: inout [UInt8]) {
    guard !input.isEmpty else { return }
    input[below(input.count)] ^= 1 << UInt8(below(8))
  }

  private mutating func overwrite(_ input: inout [UInt8], with bytes: [UInt8]) {
    guard input.count >= bytes.count, !bytes.isEmpty else { return }
    let start = below(input.count - bytes.count + 1)
    input.replaceSubrange(start..<start + bytes.count, with: bytes)
  }

  private mutating func insert(_ bytes: [UInt8], into input: inout [UInt8]) {
    input.insert(contentsOf: bytes, at: below(input.count + 1))
  }

  private mutating func remove(from input: inout [UInt8]) {
    guard !input.isEmpty else { return }
    let start = below(input.count)
    input.removeSubrange(start..<min(input.count, start + 1 + below(24)))
  }

  private mutating func piece(of input: [UInt8]) -> [UInt8] {
    guard !input.isEmpty else { return [] }
    let start = below(input.count)
    return Array(input[start..<min(input.count, start + 1 + below(64))])
  }

  /// A number at some bound, in 1, 2, 4 or 8 bytes, in either order.
  private mutating func number() -> [UInt8] {
    let value = UInt64(bitPattern: Int64(interesting()))
    let bytes = (0..<[1, 2, 4, 8][below(4)]).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    return below(2) == 0 ? bytes : bytes.reversed()
  }

  private mutating func interesting() -> Int {
    switch below(4) {
    case 0: below(5) - 1
    case 1: Int(truncatingIfNeeded: 1 << UInt64(below(64))) &+ below(3) &- 1
    case 2: [65_535, 65_536, 100_000_000, 4_096, Int.max, Int.min, 1 << 31, 1 << 32][below(8)]
    default: Int(truncatingIfNeeded: bits())
    }
  }

  // MARK: Chance (SplitMix64)

  private mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// 0..<bound; 0 for an empty range.
  private mutating func below(_ bound: Int) -> Int { Int(bits() % UInt64(max(bound, 1))) }
}
