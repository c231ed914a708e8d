#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
///
/// A pure function from a 128-bit counter and a 64-bit key to 128 random bits: any thread can draw any part of a sequence, in
/// any order.
package enum Philox {
  private static let multipliers: (UInt32, UInt32) = (0xD251_1F53, 0xCD9E_8D57)
  private static let keyIncrements: (UInt32, UInt32) = (0x9E37_79B9, 0xBB67_AE85)

  @inline(__always)
  package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c0, c1, c2, c3) = (counter[0], counter[1], counter[2], counter[3])
    var (k0, k1) = (key[0], key[1])
    for _ in 0..<10 {
      let first = UInt64(multipliers.0) &* UInt64(c0)
      let second = UInt64(multipliers.1) &* UInt64(c2)
      (c0, c2) = (high(second) ^ c1 ^ k0, high(first) ^ c3 ^ k1)
      (c1, c3) = (low(second), low(first))
      (k0, k1) = (k0 &+ keyIncrements.0, k1 &+ keyIncrements.1)
    }
    return SIMD4(c0, c1, c2, c3)
  }

  @inline(__always) private static func high(_ x: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: x >> 32) }
  @inline(__always) private static func low(_ x: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: x) }
}

/// The purpose of a stream of random numbers. Streams of different purposes never overlap. The raw values are stored in every
/// saved run.
package enum RandomPurpose: UInt32, Sendable, CaseIterable {
  /// The noise a training rollout starts from.
  case initialNoise = 1
  /// The noise of a stochastic step.
  case stepNoise = 2
  /// The start of a randomly placed window.
  case windowStart = 3
  /// Which stochastic steps are trained.
  case trainedSteps = 4
  /// The noise an evaluation starts from.
  case evaluationNoise = 5
  /// The first values of a model's weights.
  case weights = 7
  /// Pictures, captions, noise levels of pretraining.
  case pretraining = 8
  /// Numbers that a host draws for itself.
  case host = 9
  /// The first values of an adapter.
  case adapter = 10
}

/// One sequence of random numbers, keyed by its purpose: results depend neither on the order of other draws nor on threads.
///
/// Block j of the stream is Philox with counter (j, prompt, member, step) and a key that is itself the first half of the Philox
/// block with counter (purpose, 0, iteration) under the seed; so each coordinate has its full 32 bits (iteration: 64).
package struct RandomStream: Sendable {
  private let key: SIMD2<UInt32>
  private let place: SIMD4<UInt32>  // (0, prompt, member, step)
  /// Index of the next 32-bit word for sequential draws.
  private var position: UInt64 = 0

  package init(
    seed: UInt64, purpose: RandomPurpose, iteration: Int = 0, prompt: Int = 0, member: Int = 0, step: Int = 0
  ) {
    let iteration = Self.halves(UInt64(truncatingIfNeeded: iteration))
    let derived = Philox.block(
      counter: SIMD4(purpose.rawValue, 0, iteration[0], iteration[1]), key: Self.halves(seed))
    key = SIMD2(derived[0], derived[1])
    place = SIMD4(
      0, UInt32(truncatingIfNeeded: prompt), UInt32(truncatingIfNeeded: member), UInt32(truncatingIfNeeded: step))
  }

  private static func halves(_ value: UInt64) -> SIMD2<UInt32> {
    SIMD2(UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32))
  }

  @inline(__always)
  private func block(_ index: Int) -> SIMD4<UInt32> {
    var counter = place
    counter[0] = UInt32(truncatingIfNeeded: index)
    return Philox.block(counter: counter, key: key)
  }
}

// MARK: - Random access: normals

extension RandomStream {
  /// Writes standard normal values `offset ..< offset + count` of this stream.
  ///
  /// Four blocks give sixteen values: their words, taken as eight pairs (a, b), give eight radii and angles by `BoxMuller`; first
  /// come the eight cosine halves, then the eight sine halves. |value| ≤ 6.67.
  /// - Parameter offset: a multiple of 16, so that a row may be filled piece by piece with the same result.
  package func fillNormals(_ out: UnsafeMutablePointer<Float>, count: Int, offset: Int = 0) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { words in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 16) { values in
        guard let words = words.baseAddress, let values = values.baseAddress else { return }
        for done in stride(from: 0, to: count, by: 16) {
          fillWords(words, firstBlock: (offset &+ done) / 4)
          let isWhole = done &+ 16 <= count
          BoxMuller.transform(words, into: isWhole ? out + done : values)
          if !isWhole { (out + done).update(from: values, count: count &- done) }
        }
      }
    }
  }

  /// Eight words a, then eight words b, from four blocks (a, b, a, b).
  @inline(__always)
  private func fillWords(_ words: UnsafeMutablePointer<UInt32>, firstBlock: Int) {
    for index in 0..<4 {
      let block = block(firstBlock &+ index)
      words[2 &* index] = block[0]
      words[8 &+ 2 &* index] = block[1]
      words[2 &* index &+ 1] = block[2]
      words[8 &+ 2 &* index &+ 1] = block[3]
    }
  }
}

// MARK: - Sequential draws

extension RandomStream {
  private mutating func nextWord() -> UInt32 {
    let word = block(Int(truncatingIfNeeded: position / 4))[Int(position % 4)]
    position &+= 1
    return word
  }

  private mutating func nextWords() -> UInt64 {
    let upper = UInt64(nextWord())
    return upper << 32 | UInt64(nextWord())
  }

  /// Uniform on [0, 1), with 53 random bits.
  package mutating func uniform() -> Double { Double(nextWords() >> 11) * 0x1p-53 }

  /// Standard normal.
  package mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }

  /// Uniform on 0 ..< bound without bias; 0 when `bound` is less than 2.
  package mutating func integer(below bound: Int) -> Int {
    guard bound > 1 else { return 0 }
    let bound = UInt64(bound)
    let unbiased = UInt64.max - UInt64.max % bound
    var word = nextWords()
    while word >= unbiased { word = nextWords() }
    return Int(word % bound)
  }

  /// `count` different values of 0 ..< bound in increasing order, each subset equally likely.
  package mutating func subset(of bound: Int, count: Int) -> [Int] {
    var remaining = max(0, min(count, bound))
    var chosen: [Int] = []
    chosen.reserveCapacity(remaining)
    for value in 0..<max(bound, 0) where integer(below: bound - value) < remaining {
      chosen.append(value)
      remaining -= 1
    }
    return chosen
  }
}
