import MixBasics
import MixNumerics

extension FlowTransformer {
  /// First weights for training from scratch, the same for the same seed on every machine.
  ///
  /// Linear weights are uniform in ±√(6/(inputs + outputs)) (Glorot), biases 0, RMSNorm weights 1; modulations and the
  /// output projection are 0, so that every block starts as the identity (DiT, arXiv 2212.09748, §3.2). Of an adapter, A is random
  /// and B is 0.
  public func initializeWeights(seed: UInt64) {
    let weights = writableWeights()
    guard let base = weights.baseAddress else { return }
    weights.update(repeating: 0)
    if adapter != nil { return initializeAdapter(base, seed: seed) }
    for (index, entry) in layout.entries.enumerated() {
      let target = base + entry.offset
      if entry.shape.count == 1 {
        if entry.name.contains("norm_") { target.update(repeating: 1, count: entry.count) }
      } else if !startsAtZero(entry.name) {
        fillUniform(target, entry, stream: RandomStream(seed: seed, purpose: .weights, step: index))
      }
    }
  }

  /// A is uniform in ±1/√inputs (as in PEFT), B is 0: a new adapter changes nothing.
  private func initializeAdapter(_ base: UnsafeMutablePointer<Float>, seed: UInt64) {
    for (index, entry) in parameters.enumerated() where entry.name.hasSuffix(".lora_A.weight") {
      let stream = RandomStream(seed: seed, purpose: .adapter, step: index)
      fill(base + entry.offset, entry.count, bound: 1 / Double(entry.shape[1]).squareRoot(), stream: stream)
    }
  }

  private func startsAtZero(_ name: String) -> Bool {
    name == "proj_out.weight" || name.hasSuffix("norm.linear.weight") || name.hasSuffix("norm1.linear.weight")
      || name.hasSuffix("norm1_context.linear.weight") || name == "norm_out.linear.weight"
  }

  private func fillUniform(_ target: UnsafeMutablePointer<Float>, _ entry: ParameterEntry, stream: RandomStream) {
    fill(target, entry.count, bound: (6 / Double(entry.shape[0] + entry.shape[1])).squareRoot(), stream: stream)
  }

  private func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, bound: Double, stream: RandomStream) {
    var stream = stream
    for index in 0..<count { target[index] = Float(bound * (2 * stream.uniform() - 1)) }
  }
}
