import MixGRPO

/// Prompt embeddings that another program computed with the model's own text encoder.
enum StoredEmbeddings {
  static let textName = "prompt_embeds"
  static let pooledName = "pooled_prompt_embeds"

  /// Reads `prompt_embeds` (prompts, tokens, width) and `pooled_prompt_embeds` (prompts, width), F32, F16 or BF16.
  /// - Throws: `inputOutput`, `invalidFormat`, `unsupported`; `invalidArgument` for sizes out of bounds and values that are not
  ///   finite.
  static func read(path: String) throws(MixGRPOError) -> PromptEmbeddings {
    let file = try SafetensorsFile(path: path)
    let text = try shape(textName, 3, "(prompts, tokens, width)", file)
    let pooled = try shape(pooledName, 2, "(prompts, width)", file)
    guard text[0] == pooled[0] else {
      throw MixGRPOError(
        .invalidFormat, "\(path): \(pooledName): expected \(text[0]) prompts as in \(textName), got \(pooled[0])")
    }
    let textValues = try values(textName, text, file)
    let pooledValues = try values(pooledName, pooled, file)
    return try PromptEmbeddings(
      text: UnsafeBufferPointer(textValues.buffer), pooled: UnsafeBufferPointer(pooledValues.buffer), count: text[0],
      textLength: text[1], textWidth: text[2], pooledWidth: pooled[1])
  }

  private static func shape(
    _ name: String, _ axes: Int, _ meaning: String, _ file: SafetensorsFile
  ) throws(MixGRPOError) -> [Int] {
    guard let tensor = file.tensor(named: name) else {
      throw MixGRPOError(
        .invalidFormat, "\(file.path): \(name): expected this tensor, got \(file.tensors.map(\.name).prefix(8))")
    }
    guard tensor.shape.count == axes, tensor.shape.allSatisfy({ $0 > 0 }) else {
      throw MixGRPOError(.invalidFormat, "\(file.path): \(name): expected shape \(meaning), got \(tensor.shape)")
    }
    return tensor.shape
  }

  private static func values(_ name: String, _ shape: [Int], _ file: SafetensorsFile) throws(MixGRPOError) -> FloatStorage {
    let values = try FloatStorage(count: file.tensor(named: name)?.elementCount ?? 0)
    try file.read(name, expectedShape: shape, into: values.buffer)
    return values
  }
}
