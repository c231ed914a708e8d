import MixBasics

extension SamplingPlan {
  /// Rows that a rollout evaluates; with `exactSharing`, latents that members share count once.
  public func modelCalls(prompts: Int) -> Int {
    guard sharesStart else { return modelCallsWithoutSharing(prompts: prompts) }
    return prompts * (sharedSteps + (steps - sharedSteps) * groupSize)
  }

  /// One row per sample and step, as papers count.
  public func modelCallsWithoutSharing(prompts: Int) -> Int { prompts * steps * groupSize }

  /// Rows that an update in so many optimizer steps evaluates forward and backward, if no sample is excluded.
  public func trainingEvaluations(prompts: Int, minibatches: Int) -> Int {
    prompts * rowsPerPrompt(minibatches).reduce(0, +)
  }

  /// Rows of the largest of an update's minibatches, if no sample is excluded.
  public func largestMinibatch(prompts: Int, minibatches: Int) -> Int {
    prompts * (rowsPerPrompt(minibatches).max() ?? 0)
  }

  /// The members of every group behind one of `count` optimizer steps; sizes differ by at most one if `count` does not divide G.
  package func members(ofMinibatch index: Int, of count: Int) -> Range<Int> {
    index * groupSize / count..<(index + 1) * groupSize / count
  }

  /// Rows of each minibatch; with more minibatches than members the others have none.
  private func rowsPerPrompt(_ minibatches: Int) -> [Int] {
    let count = min(max(minibatches, 1), groupSize)
    return (0..<count).map { index in
      let members = members(ofMinibatch: index, of: count).count
      return trainedSteps.reduce(0) { $0 + (isShared(state: $1, sharesStart) ? 1 : members) }
    }
  }
}

// MARK: - What members share, what is kept

extension SamplingPlan {
  /// Whether members start from one latent that is evaluated once.
  package var sharesStart: Bool { sharedInitialNoise && exactSharing && groupSize > 1 }

  /// Steps whose velocity members share if they start from the same noise: those up to the first stochastic step, inclusive.
  var sharedSteps: Int { window.isEmpty ? steps : window.lowerBound + 1 }

  /// Whether members share the latent before step `state`.
  package func isShared(state: Int, _ sharesStart: Bool) -> Bool {
    sharesStart && (window.isEmpty || state <= window.lowerBound)
  }

  /// Whether the latent before step `state` is part of the trajectory.
  func isStored(state: Int) -> Bool { trainedSteps.contains(state) || trainedSteps.contains(state - 1) }

  /// The largest number of earlier data predictions that a step uses.
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

  /// The noise level that is passed to the model.
  package func modelSigma(of step: Int) -> Float {
    let sigma = transitions[step].sigma
    return sigmaRounding == .exact ? Float(sigma) : Float((sigma * 1000).rounded(.down) / 1000)
  }
}
