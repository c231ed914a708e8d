import Testing

@testable import MixNumerics

/// The known answers that the authors publish with Random123 (`kat_vectors`, philox4x32 10).
@Test(arguments: [
  (SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
   SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
  (SIMD4(repeating: UInt32.max), SIMD2(repeating: UInt32.max), SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
  (SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
   SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)),
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
