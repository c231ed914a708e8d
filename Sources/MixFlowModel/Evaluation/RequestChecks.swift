import MixBasics

extension FlowEvaluator {
  /// - Throws: `invalidArgument` when the embeddings' sizes differ from the model's.
  package func check(_ prompts: PromptEmbeddings) throws(MixGRPOError) {
    var check = Validation()
    check.require(prompts.textLength == textLength, "prompts", expected: "text_length \(textLength)", got: prompts.textLength)
    check.require(
      prompts.textWidth == shape.textWidth, "prompts", expected: "text width \(shape.textWidth)", got: prompts.textWidth)
    check.require(
      prompts.pooledWidth == shape.pooledWidth, "prompts", expected: "pooled width \(shape.pooledWidth)",
      got: prompts.pooledWidth)
    try check.throwIfAny()
  }

  /// - Throws: `invalidArgument` for a request that does not fit the model or the prompts.
  func check(_ request: VelocityRequest, _ prompts: PromptEmbeddings) throws(MixGRPOError) {
    try require(request.count > 0, "count", expected: "at least 1", got: request.count)
    try require(
      request.latentSize == latentSize, "latent_size", expected: "\(latentSize), the model's", got: request.latentSize)
    try require(
      request.promptIndex.count == request.count, "prompt_index", expected: "\(request.count) values",
      got: request.promptIndex.count)
    try require(
      request.guidance?.count ?? request.count == request.count, "guidance", expected: "\(request.count) values",
      got: request.guidance?.count ?? 0)
    try check(prompts)
    for row in 0..<request.count {
      let (sigma, prompt) = (request.sigmas[row], request.promptIndex[row])
      try require(sigma >= 0 && sigma <= 1, "sigma[\(row)]", expected: "0…1", got: sigma)
      try require(
        prompt >= 0 && Int(prompt) < prompts.count, "prompt_index[\(row)]", expected: "0…\(prompts.count - 1)", got: prompt)
      try require(
        request.guidance?[row].isFinite ?? true, "guidance[\(row)]", expected: "a finite value", got: "NaN or infinity")
    }
  }
}
