import MixBasics

/// The small tables that a rollout's requests point into.
final class RequestViews {
  private let promptNumbers: [Int32]  // (P)
  private let groupSize: Int
  private let sigmas: Table<Float>  // (P·G)
  private let promptIndex: Table<Int32>  // (P·G)
  private let sampleOfRow: Table<Int32>  // (P·G)
  private let rowOfSample: Table<Int32>  // (P·G)

  init(promptNumbers: [Int32], groupSize: Int) throws(MixGRPOError) {
    self.promptNumbers = promptNumbers
    self.groupSize = groupSize
    let samples = try product(promptNumbers.count, groupSize, field: "prompts")
    sigmas = try Table(count: samples, filledWith: 0)
    promptIndex = try Table(count: samples, filledWith: 0)
    sampleOfRow = try Table(count: samples, filledWith: 0)
    rowOfSample = try Table(count: samples, filledWith: -1)
  }

  /// - Parameter isShared: whether a row is a prompt with its whole group, or one sample.
  func prepare(rows: Range<Int>, isShared: Bool, sigma: Float) {
    let samplesPerRow = isShared ? groupSize : 1
    for row in rows {
      let sample = row * samplesPerRow
      sigmas[row - rows.lowerBound] = sigma
      promptIndex[row - rows.lowerBound] = promptNumbers[sample / groupSize]
      sampleOfRow[row - rows.lowerBound] = Int32(truncatingIfNeeded: sample)
    }
    for sample in 0..<rowOfSample.count {
      let row = sample / samplesPerRow
      rowOfSample[sample] = rows.contains(row) ? Int32(truncatingIfNeeded: row - rows.lowerBound) : -1
    }
  }

  func request(
    rows: Range<Int>, latents: UnsafePointer<Float>, latentSize: Int, step: Int, model: ModelChoice
  ) -> VelocityRequest {
    let count = rows.count
    return VelocityRequest(
      count: count, latentSize: latentSize, latents: latents,
      sigmas: UnsafeBufferPointer(start: sigmas.base, count: count),
      promptIndex: UnsafeBufferPointer(start: promptIndex.base, count: count),
      sampleOfRow: UnsafeBufferPointer(start: sampleOfRow.base, count: count),
      rowOfSample: rowOfSample.buffer, step: step, model: model)
  }
}
