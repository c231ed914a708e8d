import MixBasics

/// Text embeddings of a set of prompts, the output of a text encoder.
public final class PromptEmbeddings: Sendable {
  /// Prompts, at least 1.
  public let count: Int
  /// Text tokens of each prompt, L; shorter texts are padded by their encoder.
  public let textLength: Int
  /// Width of a text token, J (`joint_attention_dim`).
  public let textWidth: Int
  /// Width of the pooled embedding (`pooled_projection_dim`).
  public let pooledWidth: Int
  /// Identifies these embeddings within the process.
  let identity = UniqueNumber.next()
  package let text: FloatStorage  // (count, textLength, textWidth)
  package let pooled: FloatStorage  // (count, pooledWidth)

  /// - Parameters:
  ///   - text: (count, textLength, textWidth), copied.
  ///   - pooled: (count, pooledWidth), copied.
  ///   - count: prompts, 1…65536.
  ///   - textLength: tokens of every prompt, 1…65536.
  ///   - textWidth: J, 1…65536.
  ///   - pooledWidth: Q, 1…65536.
  /// - Throws: `invalidArgument` for a size that does not fit or a value that is not finite, `outOfMemory`.
  public init(
    text: UnsafeBufferPointer<Float>, pooled: UnsafeBufferPointer<Float>, count: Int, textLength: Int, textWidth: Int,
    pooledWidth: Int
  ) throws(MixGRPOError) {
    let limit = 1...65_536
    var check = Validation()
    check.require(limit.contains(count), "count", expected: "1…65536", got: count)
    check.require(limit.contains(textLength), "text_length", expected: "1…65536", got: textLength)
    check.require(limit.contains(textWidth), "text_width", expected: "1…65536", got: textWidth)
    check.require(limit.contains(pooledWidth), "pooled_width", expected: "1…65536", got: pooledWidth)
    try check.throwIfAny()
    try require(
      text.count == count * textLength * textWidth, "text",
      expected: "count · text_length · text_width = \(count * textLength * textWidth) values",
      got: text.count)
    try require(
      pooled.count == count * pooledWidth, "pooled", expected: "count · pooled_width = \(count * pooledWidth) values",
      got: pooled.count)
    try require(text.allSatisfy(\.isFinite), "text", expected: "finite values", got: "NaN or infinity")
    try require(pooled.allSatisfy(\.isFinite), "pooled", expected: "finite values", got: "NaN or infinity")
    (self.count, self.textLength, self.textWidth, self.pooledWidth) = (count, textLength, textWidth, pooledWidth)
    self.text = try FloatStorage(count: text.count)
    self.pooled = try FloatStorage(count: pooled.count)
    if let source = text.baseAddress { self.text.base.update(from: source, count: text.count) }
    if let source = pooled.baseAddress { self.pooled.base.update(from: source, count: pooled.count) }
  }

  /// The same from arrays; the widths follow from their sizes.
  public convenience init(text: [Float], pooled: [Float], count: Int, textLength: Int) throws(MixGRPOError) {
    try require(
      count > 0 && pooled.count % max(count, 1) == 0, "pooled", expected: "count · pooled_width values", got: pooled.count)
    try require(
      textLength > 0 && text.count % max(count &* textLength, 1) == 0, "text",
      expected: "count · text_length · text_width values",
      got: text.count)
    let textCopy = UnsafeMutableBufferPointer<Float>.allocate(capacity: text.count)
    let pooledCopy = UnsafeMutableBufferPointer<Float>.allocate(capacity: pooled.count)
    defer {
      textCopy.deallocate()
      pooledCopy.deallocate()
    }
    _ = textCopy.initialize(from: text)
    _ = pooledCopy.initialize(from: pooled)
    try self.init(
      text: UnsafeBufferPointer(textCopy), pooled: UnsafeBufferPointer(pooledCopy), count: count, textLength: textLength,
      textWidth: text.count / (count * textLength), pooledWidth: pooled.count / count)
  }
}
