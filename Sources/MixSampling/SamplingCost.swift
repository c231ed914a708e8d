import MixBasics

extension SamplingPlan {
  /// Rows that a rollout evaluates, latents that members share counted once (if `exactSharing`).
  public func modelCalls(prompts: Int) -> Int {
    guard sharesStart else { return modelCallsWithoutSharing(prompts: prompts) }
    return prompts * (sharedSteps + (steps - sharedSteps) * groupSize)
  }

  /// One row per sample and step, as the papers count.
  public func modelCallsWithoutSharing(prompts: Int) -> Int { prompts * steps * groupSize }

  /// Rows that an update in `parts` optimizer steps evaluates forward and backward, if no sample is left out.
  public func trainingEvaluations(prompts: Int, parts: Int) -> Int {
    guard sharesStart, !window.isEmpty, trainedSteps.first == window.lowerBound else {
      return prompts * trainedSteps.count * groupSize
    }
    return prompts * ((trainedSteps.count - 1) * groupSize + min(max(parts, 1), groupSize))
  }

  /// Rows of the largest of the update's `parts` parts, if no sample is left out.
  public func largestTrainingPart(prompts: Int, parts: Int) -> Int {
    let members = (groupSize + max(parts, 1) - 1) / max(parts, 1)
    let isShared = sharesStart && !window.isEmpty && trainedSteps.first == window.lowerBound
    return prompts * (isShared ? (trainedSteps.count - 1) * members + 1 : trainedSteps.count * members)
  }

  /// Bytes that a rollout and its trajectory hold in floats.
  /// - Throws: `invalidArgument` if that is more than can be addressed.
  public func rolloutBytes(prompts: Int, latentSize: Int) throws(MixGRPOError) -> Int {
    var rowsPerPrompt = groupSize + (sharesStart ? 1 : 0)  // the samples, and the latents members still share
    for state in 0...steps where isStored(state: state) {
      rowsPerPrompt += isShared(state: state, sharesStart) ? 1 : groupSize
    }
    if historyDepth > 0 { rowsPerPrompt += (historyDepth + 1) * groupSize }
    return try product(prompts, rowsPerPrompt, latentSize, MemoryLayout<Float>.stride, field: "rollout")
  }
}

// MARK: - What members share, what is kept

extension SamplingPlan {
  /// Whether members start from one latent that is evaluated once.
  package var sharesStart: Bool { sharedInitialNoise && exactSharing && groupSize > 1 }

  /// The steps whose velocity members have in common, if they share the start: up to and with the first stochastic one.
  var sharedSteps: Int { window.isEmpty ? steps : window.lowerBound + 1 }

  /// Whether members have the latent before step `state` in common.
  package func isShared(state: Int, _ sharesStart: Bool) -> Bool {
    sharesStart && (window.isEmpty || state <= window.lowerBound)
  }

  /// Whether the latent before step `state` is part of the trajectory.
  func isStored(state: Int) -> Bool { trainedSteps.contains(state) || trainedSteps.contains(state - 1) }

  /// Earlier data predictions that a step uses, the most of all steps.
  var historyDepth: Int {
    transitions.reduce(0) { depth, transition in
      max(depth, transition.earlierDataScale != 0 ? 2 : transition.previousDataScale != 0 ? 1 : 0)
    }
  }

  /// Whether a later step uses the data prediction of `step`.
  func keepsDataPrediction(of step: Int) -> Bool {
    let usedNext = step + 1 < steps && transitions[step + 1].previousDataScale != 0
    return usedNext || step + 2 < steps && transitions[step + 2].earlierDataScale != 0
  }

  /// The noise level as the model is told it.
  package func modelSigma(of step: Int) -> Float {
    let sigma = transitions[step].sigma
    return sigmaRounding == .exact ? Float(sigma) : Float((sigma * 1000).rounded(.down) / 1000)
  }
}
