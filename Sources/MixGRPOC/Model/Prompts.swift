import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO

final class PromptsObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "prompts" }
  let embeddings: PromptEmbeddings
  init(_ embeddings: PromptEmbeddings) { self.embeddings = embeddings }
}

@_cdecl("mixgrpo_prompts_create") @implementation
public func mixgrpo_prompts_create(
  _ context: OpaquePointer?, _ text: UnsafePointer<Float>?, _ text_count: Int, _ pooled: UnsafePointer<Float>?,
  _ pooled_count: Int, _ prompt_count: Int, _ text_length: Int32, _ text_width: Int32, _ pooled_width: Int32,
  _ out_prompts: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_prompts, "out_prompts") {
    _ = try resolve(context, "context", as: ContextObject.self)
    let sizes = try PromptSizes(prompt_count, text_length, text_width, pooled_width)
    return PromptsObject(
      try PromptEmbeddings(
        text: input(text, count: text_count, expected: sizes.textValues, "text"),
        pooled: input(pooled, count: pooled_count, expected: sizes.pooledValues, "pooled"), count: sizes.prompts,
        textLength: sizes.textLength, textWidth: sizes.textWidth, pooledWidth: sizes.pooledWidth))
  }
}

@_cdecl("mixgrpo_prompts_create_hashed_words") @implementation
public func mixgrpo_prompts_create_hashed_words(
  _ context: OpaquePointer?, _ prompts: UnsafePointer<UnsafePointer<CChar>?>?, _ prompt_count: Int,
  _ text_length: Int32, _ text_width: Int32, _ pooled_width: Int32, _ out_prompts: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_prompts, "out_prompts") {
    _ = try resolve(context, "context", as: ContextObject.self)
    let sizes = try PromptSizes(prompt_count, text_length, text_width, pooled_width)
    let text = try FloatStorage(count: sizes.textValues)
    let pooled = try FloatStorage(count: sizes.pooledValues)
    try encode(prompts, sizes, text.buffer, pooled.buffer)
    return PromptsObject(
      try PromptEmbeddings(
        text: UnsafeBufferPointer(text.buffer), pooled: UnsafeBufferPointer(pooled.buffer), count: sizes.prompts,
        textLength: sizes.textLength, textWidth: sizes.textWidth, pooledWidth: sizes.pooledWidth))
  }
}

@_cdecl("mixgrpo_prompts_destroy") @implementation
public func mixgrpo_prompts_destroy(_ prompts: OpaquePointer?) {
  HandleTable.live.remove(prompts, PromptsObject.self)
}

@_cdecl("mixgrpo_prompts_count") @implementation
public func mixgrpo_prompts_count(_ prompts: OpaquePointer?) -> Int {
  let object = live(prompts, as: PromptsObject.self)
  return object?.embeddings.count ?? 0
}

@_cdecl("mixgrpo_hashed_words_encode") @implementation
public func mixgrpo_hashed_words_encode(
  _ prompts: UnsafePointer<UnsafePointer<CChar>?>?, _ prompt_count: Int, _ text_length: Int32, _ text_width: Int32,
  _ pooled_width: Int32, _ out_text: UnsafeMutablePointer<Float>?, _ text_capacity: Int,
  _ out_pooled: UnsafeMutablePointer<Float>?, _ pooled_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let sizes = try PromptSizes(prompt_count, text_length, text_width, pooled_width)
    let text = try output(out_text, capacity: text_capacity, needed: sizes.textValues, "out_text")
    let pooled = try output(out_pooled, capacity: pooled_capacity, needed: sizes.pooledValues, "out_pooled")
    try encode(prompts, sizes, text, pooled)
  }
}

/// All strings are read before anything is written.
private func encode(
  _ prompts: UnsafePointer<UnsafePointer<CChar>?>?, _ sizes: PromptSizes, _ text: UnsafeMutableBufferPointer<Float>,
  _ pooled: UnsafeMutableBufferPointer<Float>
) throws(MixGRPOError) {
  let encoder = try HashedWordEncoder(
    textLength: sizes.textLength, textWidth: sizes.textWidth, pooledWidth: sizes.pooledWidth)
  let lines = try texts(prompts, count: sizes.prompts, "prompts")
  let textSize = sizes.textLength * sizes.textWidth
  for line in lines { try encoder.requireRoom(for: [line]) }
  for (index, line) in lines.enumerated() {
    let encoding = encoder.encode(line)
    UnsafeMutableBufferPointer(rebasing: text[index * textSize..<(index + 1) * textSize]).copy(encoding.text)
    UnsafeMutableBufferPointer(rebasing: pooled[index * sizes.pooledWidth..<(index + 1) * sizes.pooledWidth])
      .copy(encoding.pooled)
  }
}

/// Checks the dimensions of a set of prompts.
private struct PromptSizes {
  let prompts: Int
  let textLength: Int
  let textWidth: Int
  let pooledWidth: Int

  init(_ prompts: Int, _ length: Int32, _ width: Int32, _ pooled: Int32) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try requireRange(prompts, 1...65_536, "prompt_count") }
    for (value, field) in [(length, "text_length"), (width, "text_width"), (pooled, "pooled_width")] {
      check.include { () throws(MixGRPOError) in try requireRange(value, 1...65_536, field) }
    }
    try check.throwIfAny()
    (self.prompts, textLength, textWidth, pooledWidth) = (prompts, Int(length), Int(width), Int(pooled))
  }

  var textValues: Int { prompts * textLength * textWidth }
  var pooledValues: Int { prompts * pooledWidth }
}
