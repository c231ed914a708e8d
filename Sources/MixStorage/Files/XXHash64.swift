/// XXH64 with seed 0, a fast 64-bit hash of a stream of bytes (xxHash fast digest algorithm, specification 0.1.1).
///
/// Detects damage by disks and interrupted writes; not a defence against deliberate changes.
package struct XXHash64 {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5
  private static let stripe = 32

  private var lanes: SIMD4<UInt64> = [prime1 &+ prime2, prime2, 0, 0 &- prime1]
  private var rest: [UInt8] = []  // fewer than a stripe
  private var count: UInt64 = 0

  package init() {}

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count &+= UInt64(bytes.count)
    var bytes = bytes
    if !rest.isEmpty {
      let taken = min(Self.stripe - rest.count, bytes.count)
      rest += bytes[..<taken]
      bytes = UnsafeRawBufferPointer(rebasing: bytes[taken...])
      guard rest.count == Self.stripe else { return }
      rest.withUnsafeBytes { lanes = Self.consume($0, lanes) }
      rest.removeAll(keepingCapacity: true)
    }
    lanes = Self.consume(bytes, lanes)
    rest += bytes[(bytes.count - bytes.count % Self.stripe)...]
  }

  /// Processes all whole stripes of `bytes`.
  private static func consume(_ bytes: UnsafeRawBufferPointer, _ lanes: SIMD4<UInt64>) -> SIMD4<UInt64> {
    var (a, b, c, d) = (lanes[0], lanes[1], lanes[2], lanes[3])
    for start in stride(from: 0, through: bytes.count - stripe, by: stripe) {
      a = round(a, word(bytes, start))
      b = round(b, word(bytes, start + 8))
      c = round(c, word(bytes, start + 16))
      d = round(d, word(bytes, start + 24))
    }
    return [a, b, c, d]
  }

  /// The hash of everything so far.
  package var digest: UInt64 {
    var hash = count >= UInt64(Self.stripe) ? merged : Self.prime5
    hash &+= count
    return Self.avalanche(rest.withUnsafeBytes { Self.finish($0, hash) })
  }

  private var merged: UInt64 {
    var hash =
      Self.rotate(lanes[0], 1) &+ Self.rotate(lanes[1], 7) &+ Self.rotate(lanes[2], 12) &+ Self.rotate(lanes[3], 18)
    for lane in 0..<4 { hash = (hash ^ Self.round(0, lanes[lane])) &* Self.prime1 &+ Self.prime4 }
    return hash
  }

  private static func finish(_ bytes: UnsafeRawBufferPointer, _ start: UInt64) -> UInt64 {
    var (hash, place) = (start, 0)
    while place + 8 <= bytes.count {
      hash = rotate(hash ^ round(0, word(bytes, place)), 27) &* prime1 &+ prime4
      place += 8
    }
    if place + 4 <= bytes.count {
      let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
      hash = rotate(hash ^ half &* prime1, 23) &* prime2 &+ prime3
      place += 4
    }
    for byte in bytes[place...] { hash = rotate(hash ^ UInt64(byte) &* prime5, 11) &* prime1 }
    return hash
  }

  private static func avalanche(_ hash: UInt64) -> UInt64 {
    let second = (hash ^ hash >> 33) &* prime2
    let third = (second ^ second >> 29) &* prime3
    return third ^ third >> 32
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
    rotate(lane &+ input &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { value << bits | value >> (64 - bits) }

  @inline(__always)
  private static func word(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
  }
}
