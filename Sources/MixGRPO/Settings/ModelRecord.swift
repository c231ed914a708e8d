import CMixGRPO
import MixBasics
import MixFlowModel
import MixSettings

// Converts the sizes of a model to and from the header's flat struct.

extension FlowTransformerConfiguration {
  /// - Throws: `invalidArgument` naming every field that is out of range or conflicts with another.
  package init(_ record: mixgrpo_model_config) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    check.require(record.reserved == 0, "reserved", expected: "0", got: record.reserved)
    try check.throwIfAny()
    let axes = record.axes_dims_rope
    self.init(
      inChannels: Int(record.in_channels), outChannels: Int(record.out_channels), numLayers: Int(record.num_layers),
      numSingleLayers: Int(record.num_single_layers), attentionHeadDim: Int(record.attention_head_dim),
      numAttentionHeads: Int(record.num_attention_heads), jointAttentionDim: Int(record.joint_attention_dim),
      pooledProjectionDim: Int(record.pooled_projection_dim), guidanceEmbeds: record.guidance_embeds == 1,
      axesDimsRope: [Int(axes.0), Int(axes.1), Int(axes.2)])
    try validate()
  }

  /// - Precondition: valid, so that all sizes fit and there are three axes.
  package var record: mixgrpo_model_config {
    var record = mixgrpo_model_config.standard
    record.in_channels = Int32(clamping: inChannels)
    record.out_channels = Int32(clamping: outChannels)
    record.num_layers = Int32(clamping: numLayers)
    record.num_single_layers = Int32(clamping: numSingleLayers)
    record.attention_head_dim = Int32(clamping: attentionHeadDim)
    record.num_attention_heads = Int32(clamping: numAttentionHeads)
    record.joint_attention_dim = Int32(clamping: jointAttentionDim)
    record.pooled_projection_dim = Int32(clamping: pooledProjectionDim)
    record.guidance_embeds = guidanceEmbeds ? 1 : 0
    let axes = axesDimsRope.map { Int32(clamping: $0) } + [0, 0, 0]
    record.axes_dims_rope = (axes[0], axes[1], axes[2])
    return record
  }
}
