/// SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014): ten lines in any
/// language, used where a host may want to reproduce the numbers. Training uses `RandomStream`.
package struct SplitMix64: Sendable {
  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// Seeded with the FNV-1a hash of the key's bytes.
  package init(key: some Sequence<UInt8>) { state = FNV1a.hash(key) }

  package mutating func next() -> UInt64 {
    state &+= Self.increment
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number in 0..<bound, the high half of the next draw modulo `bound`; 0 for a bound of 0.
  package mutating func below(_ bound: UInt32) -> Int {
    bound == 0 ? 0 : Int((next() >> 32) % UInt64(bound))
  }
}
