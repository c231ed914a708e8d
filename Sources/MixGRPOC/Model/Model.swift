import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixNumerics
import MixSettings
import MixStorage

final class ModelObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "model" }

  let model: FlowTransformer
  let context: ContextObject
  let names: ParameterNames

  init(_ model: FlowTransformer, _ context: ContextObject) throws(MixGRPOError) {
    (self.model, self.context) = (model, context)
    names = try ParameterNames(model)
  }
}

// MARK: - Configuration

extension FlowTransformerConfiguration {
  /// Reads `config.json` of a model folder, not its weights.
  init(folder path: String) throws(MixGRPOError) {
    let found = try WeightFolder.configuration(of: path)
    try self.init(json: found.content, source: found.source)
  }
}

@_cdecl("mixgrpo_model_config_init") @implementation
public func mixgrpo_model_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_model_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus {
    try writeDefaults(.standard, to: out_config, size: struct_size, "out_config")
  }
}

@_cdecl("mixgrpo_model_config_load") @implementation
public func mixgrpo_model_config_load(
  _ folder: UnsafePointer<CChar>?, _ out_config: UnsafeMutablePointer<mixgrpo_model_config>?
) -> mixgrpo_status {
  withStatus {
    let result = try HostStruct(out_config, "out_config")
    result.write(try FlowTransformerConfiguration(folder: path(folder, "folder")).record)
  }
}

@_cdecl("mixgrpo_model_get_config") @implementation
public func mixgrpo_model_get_config(
  _ model: OpaquePointer?, _ out_config: UnsafeMutablePointer<mixgrpo_model_config>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(model, "model", as: ModelObject.self)
    try HostStruct(out_config, "out_config").write(object.model.configuration.record)
  }
}

// MARK: - Life

@_cdecl("mixgrpo_model_create") @implementation
public func mixgrpo_model_create(
  _ context: OpaquePointer?, _ config: UnsafePointer<mixgrpo_model_config>?, _ seed: UInt64,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let context = try resolve(context, "context", as: ContextObject.self)
    let model = try FlowTransformer(configuration: FlowTransformerConfiguration(read(config, "config")))
    model.initializeWeights(seed: seed)
    return try ModelObject(model, context)
  }
}

@_cdecl("mixgrpo_model_load") @implementation
public func mixgrpo_model_load(
  _ context: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let context = try resolve(context, "context", as: ContextObject.self)
    return try ModelObject(FlowTransformer(folder: path(folder, "folder")), context)
  }
}

@_cdecl("mixgrpo_model_freeze") @implementation
public func mixgrpo_model_freeze(
  _ model: OpaquePointer?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let object = try resolve(model, "model", as: ModelObject.self)
    return try ModelObject(FlowTransformer(freezing: object.model), object.context)
  }
}

@_cdecl("mixgrpo_model_load_frozen") @implementation
public func mixgrpo_model_load_frozen(
  _ context: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_model, "out_model") {
    let context = try resolve(context, "context", as: ContextObject.self)
    return try ModelObject(FlowTransformer(frozenFolder: path(folder, "folder")), context)
  }
}

@_cdecl("mixgrpo_model_save") @implementation
public func mixgrpo_model_save(
  _ model: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ storage: mixgrpo_storage
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(model, "model", as: ModelObject.self)
    try object.model.save(folder: path(folder, "folder"), precision: StoredPrecision(storage))
  }
}

@_cdecl("mixgrpo_model_copy") @implementation
public func mixgrpo_model_copy(
  _ model: OpaquePointer?, _ out_copy: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_copy, "out_copy") {
    let object = try resolve(model, "model", as: ModelObject.self)
    return try ModelObject(FlowTransformer(copying: object.model), object.context)
  }
}

@_cdecl("mixgrpo_model_destroy") @implementation
public func mixgrpo_model_destroy(_ model: OpaquePointer?) {
  HandleTable.live.remove(model, ModelObject.self)
}

extension StoredPrecision {
  init(_ storage: mixgrpo_storage) throws(MixGRPOError) {
    switch Int(storage) {
    case MIXGRPO_STORAGE_F32: self = .float32
    case MIXGRPO_STORAGE_BF16: self = .bfloat16
    default: throw .invalid("storage", expected: "MIXGRPO_STORAGE_F32 (0) or MIXGRPO_STORAGE_BF16 (1)", got: storage)
    }
  }
}
