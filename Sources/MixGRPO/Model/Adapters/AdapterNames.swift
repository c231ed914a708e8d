import MixBasics
import MixFlowModel

/// Where a name of an adapter's file leads: some linear layers of the model, whose outputs follow each other.
struct AdapterTarget {
  let modules: [LinearModule]
  /// Whether the two halves of the outputs are exchanged: the original model's last modulation has (shift, scale).
  var swapsHalves = false

  var outputs: Int { modules.reduce(0) { $0 + $1.outputs } }
  var inputs: Int { modules[0].inputs }
}

/// The names of linear layers in adapters' files: those of diffusers, and those of the original FLUX, which has one layer for q, k and v.
struct AdapterNames {
  private(set) var byName: [String: AdapterTarget] = [:]
  /// The original's names in the order of the model, each with its target.
  private(set) var original: [(name: String, target: AdapterTarget)] = []
  private var byUnderscored: [String: String] = [:]

  /// - Throws: `outOfMemory`.
  init(_ layout: ParameterLayout) throws(MixGRPOError) {
    try Memory.require(layout.modules.count, of: 2_048)
    let modules = Dictionary(layout.modules.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for module in layout.modules { byName[module.name] = AdapterTarget(modules: [module]) }
    func add(_ name: String, _ parts: [String], swapsHalves: Bool = false) {
      let found = parts.compactMap { modules[$0] }
      guard found.count == parts.count, !found.isEmpty else { return }
      original.append((name, AdapterTarget(modules: found, swapsHalves: swapsHalves)))
    }
    add("img_in", ["x_embedder"])
    add("txt_in", ["context_embedder"])
    for (ours, theirs) in [("timestep", "time"), ("text", "vector"), ("guidance", "guidance")] {
      add("\(theirs)_in.in_layer", ["time_text_embed.\(ours)_embedder.linear_1"])
      add("\(theirs)_in.out_layer", ["time_text_embed.\(ours)_embedder.linear_2"])
    }
    var index = 0
    while modules["transformer_blocks.\(index).norm1.linear"] != nil {
      for (name, parts) in Self.doubleBlock(index) { add(name, parts) }
      index += 1
    }
    index = 0
    while modules["single_transformer_blocks.\(index).norm.linear"] != nil {
      let (theirs, ours) = ("single_blocks.\(index).", "single_transformer_blocks.\(index).")
      add(theirs + "linear1", ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map { ours + $0 })
      add(theirs + "linear2", [ours + "proj_out"])
      add(theirs + "modulation.lin", [ours + "norm.linear"])
      index += 1
    }
    add("final_layer.linear", ["proj_out"])
    add("final_layer.adaLN_modulation.1", ["norm_out.linear"], swapsHalves: true)
    for (name, target) in original { byName[name] = target }
    for name in byName.keys { byUnderscored[Self.underscored(name)] = name }
  }

  private static func doubleBlock(_ index: Int) -> [(String, [String])] {
    let (theirs, ours) = ("double_blocks.\(index).", "transformer_blocks.\(index).")
    return [
      ("img_attn.qkv", ["attn.to_q", "attn.to_k", "attn.to_v"]),
      ("txt_attn.qkv", ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"]),
      ("img_attn.proj", ["attn.to_out.0"]), ("txt_attn.proj", ["attn.to_add_out"]),
      ("img_mlp.0", ["ff.net.0.proj"]), ("img_mlp.2", ["ff.net.2"]),
      ("txt_mlp.0", ["ff_context.net.0.proj"]), ("txt_mlp.2", ["ff_context.net.2"]),
      ("img_mod.lin", ["norm1.linear"]), ("txt_mod.lin", ["norm1_context.linear"]),
    ].map { (theirs + $0, $1.map { ours + $0 }) }
  }

  static func underscored(_ name: String) -> String { String(name.map { $0 == "." ? "_" : $0 }) }

  /// The target of a name without prefix, with dots or, as in kohya's files, with underscores.
  func target(_ name: String) -> AdapterTarget? { byName[name] ?? byUnderscored[name].flatMap { byName[$0] } }
}
