import MixGRPO

/// Multiplications and additions of a model's matrix products, a multiply–add counted as two.
///
/// With d the width, N image and L text tokens, S = N + L, C channels, J and P the widths of text and pooled text, D double and
/// K single blocks, one evaluation of the published model (FLUX) has
///
///     sample:     2·N·C·d                            image tokens in
///               + D·(2·S·12·d² + 4·S²·d)             q, k, v, output: 4 d²; feed-forward: 8 d²; scores and mixing: 2·S²·d each
///               + K·(2·S·12·d² + 4·S²·d)             the same products, arranged otherwise
///               + 2·N·d·C                            velocity out
///     condition:  2·(256·d + d²)·2 + 2·(P·d + d²)    the MLPs of σ, guidance and pooled text
///               + 2·d·(12·D + 3·K + 2)·d             the modulations of all blocks
///     prompt:     2·L·J·d                            text tokens in
///
/// A condition is a distinct (prompt, σ). A backward has for each product one of the same size for its weight and one for its
/// input, and for each of attention's two products one for each factor. The first layers' inputs need no gradient. What an
/// implementation does more than once (attention computes its scores again in the backward) is counted once, and
/// what it skips because nothing reads it (the last block's text rows) is counted too. With an adapter there are no
/// gradients of weights, and its own products are not counted; norms, activations, softmax, sampling and the
/// optimizer are not counted.
struct Arithmetic {
  /// Per sample, per condition, per prompt.
  struct Cost {
    var sample = 0.0
    var condition = 0.0
    var prompt = 0.0

    func total(samples: Int, conditions: Int, prompts: Int) -> Double {
      Double(samples) * sample + Double(conditions) * condition + Double(prompts) * prompt
    }
  }

  private(set) var forward = Cost()
  private(set) var backward = Cost()

  /// - Parameter trainsAdapter: whether gradients of the model's weights are left out.
  init(_ shape: ModelShape, trainsAdapter: Bool) {
    let configuration = shape.configuration
    let d = Double(configuration.width)
    let (image, text) = (Double(shape.side * shape.side), Double(shape.textLength))
    let (channels, all) = (Double(shape.channels), image + text)
    let (double, single) = (Double(shape.layers.double), Double(shape.layers.single))
    let blocks = (double + single) * (2 * all * 12 * d * d + 4 * all * all * d)
    let ends = 2 * image * channels * d
    let firstOfMLPs = 2 * (256 * d) * 2 + 2 * Double(shape.pooledWidth) * d
    let modulations = 2 * d * d * (12 * double + 3 * single + 2)
    forward.sample = blocks + 2 * ends
    forward.condition = firstOfMLPs + 3 * 2 * d * d + modulations
    forward.prompt = 2 * text * Double(shape.textWidth) * d
    if trainsAdapter {
      backward.sample = forward.sample + (double + single) * 4 * all * all * d - ends
      backward.condition = forward.condition - firstOfMLPs
      return
    }
    backward.sample = 2 * forward.sample - ends
    backward.condition = 2 * forward.condition - firstOfMLPs
    backward.prompt = forward.prompt
  }

  /// Floating-point operations of one run of a workload.
  func operations(_ workload: Workload) throws -> Double {
    switch workload.part {
    case .forward: call(forward, workload.batch)
    case .forwardBackward: call(forward, workload.batch) + call(backward, workload.batch)
    case .rollout: rollout(try plan(workload))
    case .iteration: rollout(try plan(workload)) + update(try plan(workload), workload)
    }
  }

  func plan(_ workload: Workload) throws -> SamplingPlan { try SamplingPlan(workload.sampling, iteration: 0) }

  /// One prompt, one σ.
  private func call(_ cost: Cost, _ batch: Int) -> Double { cost.total(samples: batch, conditions: 1, prompts: 1) }

  /// Text is projected once; each step has its σ.
  func rollout(_ plan: SamplingPlan) -> Double {
    forward.total(samples: plan.modelCalls(prompts: 1), conditions: plan.steps, prompts: 1)
  }

  /// What the update need not compute: it has the activations of these samples from the rollout.
  func recalled(samples: Int) -> Double { Double(samples) * forward.sample }

  /// The weights change with every optimizer step, and so do conditions and projected text. Forwards whose activations come
  /// from the rollout are counted too.
  func update(_ plan: SamplingPlan, _ workload: Workload) -> Double {
    let samples = plan.trainingEvaluations(prompts: 1, minibatches: workload.updates)
    let conditions = workload.updates * plan.trainedSteps.count
    return forward.total(samples: samples, conditions: conditions, prompts: workload.updates)
      + backward.total(samples: samples, conditions: conditions, prompts: workload.updates)
  }
}
