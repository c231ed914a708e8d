import Glibc
import Testing

@testable import MixNumerics

/// The known answers that the authors publish with Random123 (`kat_vectors`, philox4x32 10).
@Test(arguments: [
  (
    SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
    SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
  ),
  (SIMD4(repeating: UInt32.max), SIMD2(repeating: UInt32.max), SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
  (
    SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
    SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
  ),
])
func philoxGivesThePublishedAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, expected: SIMD4<UInt32>) {
  #expect(Philox.block(counter: counter, key: key) == expected)
}

private func normals(_ stream: RandomStream, _ count: Int, offset: Int = 0) -> [Float] {
  [Float](unsafeUninitializedCapacity: count) { buffer, written in
    if let base = buffer.baseAddress { stream.fillNormals(base, count: count, offset: offset) }
    written = count
  }
}

@Test func aRowFilledInPiecesHasTheSameBits() {
  let stream = RandomStream(seed: 7, purpose: .stepNoise, iteration: 3, prompt: 1, member: 2, step: 4)
  let whole = normals(stream, 103)
  #expect(whole == normals(stream, 64) + normals(stream, 39, offset: 64))
}

@Test func everyCoordinateOfTheKeyChangesTheStream() {
  let base = RandomStream(seed: 1, purpose: .stepNoise, iteration: 1, prompt: 1, member: 1, step: 1)
  let others = [
    RandomStream(seed: 2, purpose: .stepNoise, iteration: 1, prompt: 1, member: 1, step: 1),
    RandomStream(seed: 1, purpose: .initialNoise, iteration: 1, prompt: 1, member: 1, step: 1),
    RandomStream(seed: 1, purpose: .stepNoise, iteration: 2, prompt: 1, member: 1, step: 1),
    RandomStream(seed: 1, purpose: .stepNoise, iteration: 1, prompt: 2, member: 1, step: 1),
    RandomStream(seed: 1, purpose: .stepNoise, iteration: 1, prompt: 1, member: 2, step: 1),
    RandomStream(seed: 1, purpose: .stepNoise, iteration: 1, prompt: 1, member: 1, step: 2),
    RandomStream(seed: 1 << 32, purpose: .stepNoise, iteration: 1, prompt: 1, member: 1, step: 1),
  ]
  for other in others { #expect(normals(base, 8) != normals(other, 8)) }
}

@Test func normalsHaveTheMomentsOfANormal() {
  let values = normals(RandomStream(seed: 11, purpose: .initialNoise), 400_000).map(Double.init)
  let count = Double(values.count)
  func moment(_ power: (Double) -> Double) -> Double { values.reduce(0) { $0 + power($1) } / count }
  #expect(abs(moment { $0 }) <= 5 / count.squareRoot())
  #expect(abs(moment { $0 * $0 } - 1) <= 5 * (2 / count).squareRoot())
  #expect(abs(moment { $0 * $0 * $0 }) <= 5 * (15 / count).squareRoot())
  #expect(abs(moment { $0 * $0 * $0 * $0 } - 3) <= 5 * (96 / count).squareRoot())
  let neighbours = zip(values, values.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } / count
  #expect(abs(neighbours) <= 5 / count.squareRoot())
}

@Test func integersAreUniformAndBounded() {
  var stream = RandomStream(seed: 5, purpose: .windowStart)
  var counts = [Int](repeating: 0, count: 7)
  for _ in 0..<70_000 { counts[stream.integer(below: 7)] += 1 }
  for count in counts { #expect(abs(Double(count) - 10_000) <= 5 * (10_000.0 * 6 / 7).squareRoot()) }
  #expect(stream.integer(below: 1) == 0 && stream.integer(below: 0) == 0 && stream.integer(below: -3) == 0)
}

@Test func subsetsAreSortedDistinctAndOfTheAskedSize() {
  var hits = [Int](repeating: 0, count: 10)
  for seed in 0..<5_000 {
    var stream = RandomStream(seed: UInt64(seed), purpose: .trainedSteps)
    let subset = stream.subset(of: 10, count: 4)
    #expect(subset.count == 4 && zip(subset, subset.dropFirst()).allSatisfy(<) && subset.allSatisfy { $0 < 10 })
    for value in subset { hits[value] += 1 }
  }
  for count in hits { #expect(abs(Double(count) - 2_000) <= 5 * 1_200.0.squareRoot()) }
}

@Test func uniformsLieInTheHalfOpenUnitInterval() {
  var stream = RandomStream(seed: 9, purpose: .pretraining)
  var sum = 0.0
  for _ in 0..<100_000 {
    let value = stream.uniform()
    #expect(value >= 0 && value < 1)
    sum += value
  }
  #expect(abs(sum / 100_000 - 0.5) <= 5 / (12 * 100_000.0).squareRoot())
}

@Test func normalsFollowBoxAndMullerInDouble() {
  let words: [UInt32] =
    [0, 1, 2, 0x2000_0000, 0x1FFF_FFFF, 0x4000_0000, 0x5FFF_FFFF, 0x6000_0000, 0x8000_0000, 0xA000_0001]
    + [0xC000_0000, 0xE000_0000, 0xFFFF_FFFF, 0xFFFF_FF00, 0xB504_F333, 0x5A82_799A, 12345, 0xDEAD_BEEF]
  for a in words {
    for b in words {
      var values = [Float](repeating: .nan, count: 16)
      BoxMuller.transform([UInt32](repeating: a, count: 8) + [UInt32](repeating: b, count: 8), into: &values)
      let radius = (-2 * log((Double(a) + 1) * 0x1p-32)).squareRoot()
      let angle = 2 * Double.pi * Double(b) * 0x1p-32
      // Near a = 2³² the uniform itself is rounded to 24 bits.
      let tolerance = a >= 0xFFFF_FF00 ? 4e-4 : 1e-6
      #expect(abs(Double(values[3]) - radius * cos(angle)) <= tolerance, "\(a) \(b)")
      #expect(abs(Double(values[11]) - radius * sin(angle)) <= tolerance, "\(a) \(b)")
    }
  }
}

/// Bits that every machine must reproduce; NumPy gives them too, with the same steps in float32.
@Test func normalsHaveTheseBits() {
  let values = normals(RandomStream(seed: 1, purpose: .initialNoise, iteration: 2, prompt: 3, member: 4, step: 5), 16)
  #expect(
    values.map(\.bitPattern) == [
      0x3ee7_4f48, 0xc010_70d5, 0x3dd2_c9ec, 0xbef6_1733, 0x3fcc_15db, 0x3e9e_ec05, 0xbfcf_ae87, 0xbe3a_9d84,
      0xbf8c_a638, 0xbf0b_fffd, 0x3fa7_a195, 0x3f3c_fd5a, 0x3f85_61c6, 0xbfdd_c423, 0xbdba_e7ac, 0x406c_db28,
    ])
}
