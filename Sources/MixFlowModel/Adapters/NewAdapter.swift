import MixBasics

extension FlowTransformer {
  /// A model that trains a new adapter of `base` and nothing else. At first it computes what `base` computes.
  ///
  /// Its weights are A and B of every adapted layer, named as in PEFT: `transformer_blocks.0.attn.to_q.lora_A.weight`. Trainer,
  /// optimizer, averages and checkpoints take the adapter's size. Several adapters may share one base.
  /// - Parameters:
  ///   - base: stays as it is; its weights must not be written while the adapter is in use.
  ///   - configuration: rank, α and the layers to adapt.
  /// - Throws: `invalidArgument` naming a field: a rank beyond a layer's size, a target that no layer matches, a base with an adapter;
  ///   `outOfMemory`.
  public convenience init(
    adapting base: FlowTransformer, _ configuration: LoRAConfiguration = LoRAConfiguration()
  ) throws(MixGRPOError) {
    try self.init(adapting: base, AdapterLayout(base.layout, configuration))
    initializeWeights(seed: configuration.seed)
  }
}
