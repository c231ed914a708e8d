import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixSettings

extension LoRAConfiguration {
  /// - Throws: `invalidArgument` naming every field that is out of range.
  init(_ record: mixgrpo_lora_config, targets: [String]) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    check.include { () throws(MixGRPOError) in try requireReserved(record.reserved) }
    try check.throwIfAny()
    self.init()
    (rank, alpha, isRankStabilized) = (Int(record.rank), record.alpha, record.rank_stabilized == 1)
    (seed, self.targets) = (record.seed, targets)
  }
}

@_cdecl("mixgrpo_lora_config_init") @implementation
public func mixgrpo_lora_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_lora_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus {
    try writeDefaults(.standard, to: out_config, size: struct_size, "out_config")
  }
}

@_cdecl("mixgrpo_model_adapt") @implementation
public func mixgrpo_model_adapt(
  _ base: OpaquePointer?, _ config: UnsafePointer<mixgrpo_lora_config>?, _ targets: UnsafePointer<UnsafePointer<CChar>?>?,
  _ target_count: Int, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let object = try resolve(base, "base", as: ModelObject.self)
    try requireRange(target_count, 0...65_536, "target_count")
    let targets = target_count == 0 ? [] : try texts(targets, count: target_count, "targets")
    let lora = try LoRAConfiguration(read(config, "config"), targets: targets)
    return try ModelObject(FlowTransformer(adapting: object.model, lora), object.context)
  }
}

@_cdecl("mixgrpo_model_load_adapter") @implementation
public func mixgrpo_model_load_adapter(
  _ base: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let object = try resolve(base, "base", as: ModelObject.self)
    return try ModelObject(
      FlowTransformer(adapting: object.model, file: MixGRPOC.path(path, "path")), object.context)
  }
}

@_cdecl("mixgrpo_model_save_adapter") @implementation
public func mixgrpo_model_save_adapter(
  _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ format: mixgrpo_adapter_format
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(model, "model", as: ModelObject.self)
    try object.model.saveAdapter(MixGRPOC.path(path, "path"), format: choice(format, "format"))
  }
}

@_cdecl("mixgrpo_model_merge") @implementation
public func mixgrpo_model_merge(
  _ model: OpaquePointer?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let object = try resolve(model, "model", as: ModelObject.self)
    return try ModelObject(object.model.merged(), object.context)
  }
}

@_cdecl("mixgrpo_model_set_adapter_strength") @implementation
public func mixgrpo_model_set_adapter_strength(_ model: OpaquePointer?, _ strength: Double) -> mixgrpo_status {
  withStatus {
    let object = try resolve(model, "model", as: ModelObject.self)
    guard object.model.frozen != nil else {
      throw MixGRPOError(.invalidState, "model: expected one with an adapter, got one without")
    }
    try require((0...2).contains(strength), "strength", expected: "0…2", got: strength)
    object.model.adapterStrength = strength
  }
}
