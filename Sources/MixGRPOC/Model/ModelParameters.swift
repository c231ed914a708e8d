import CMixGRPO
import MixBasics
import MixFlowModel

/// The names of a model's weight tensors as C strings that live as long as the model.
struct ParameterNames: Sendable {
  let texts: [CText]

  init(_ model: FlowTransformer) throws(MixGRPOError) {
    var texts: [CText] = []
    for entry in model.parameters { texts.append(try CText(entry.name)) }
    self.texts = texts
  }
}

@_cdecl("mixgrpo_model_get_size") @implementation
public func mixgrpo_model_get_size(
  _ model: OpaquePointer?, _ out_tensors: UnsafeMutablePointer<Int>?, _ out_values: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    let tensors = try out_tensors.map { try place($0, "out_tensors") }
    let values = try out_values.map { try place($0, "out_values") }
    tensors?.pointee = model.parameters.count
    values?.pointee = model.parameterCount
  }
}

@_cdecl("mixgrpo_model_get_parameter") @implementation
public func mixgrpo_model_get_parameter(
  _ model: OpaquePointer?, _ index: Int, _ out_info: UnsafeMutablePointer<mixgrpo_parameter_info>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(model, "model", as: ModelObject.self)
    let result = try HostStruct(out_info, "out_info")
    let entries = object.model.parameters
    let expected = entries.isEmpty ? "none, as the model is frozen" : "0…\(entries.count - 1)"
    try require(entries.indices.contains(index), "index", expected: expected, got: index)
    let entry = entries[index]
    var info = mixgrpo_parameter_info()
    info.rank = Int32(entry.shape.count)
    info.shape = (entry.shape.first ?? 1, entry.shape.dropFirst().first ?? 1)
    info.offset = entry.offset
    info.count = entry.count
    info.name = UnsafePointer(object.names.texts[index].pointer)
    result.write(info)
  }
}

@_cdecl("mixgrpo_model_find_parameter") @implementation
public func mixgrpo_model_find_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out_index: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    let name = try text(name, "name")
    let target = try place(out_index, "out_index")
    guard let index = model.parameters.firstIndex(where: { $0.name == name }) else {
      throw MixGRPOError.invalid("name", expected: "a weight of this model", got: "\"\(name)\"")
    }
    target.pointee = index
  }
}

// MARK: - Values

@_cdecl("mixgrpo_model_get_weights") @implementation
public func mixgrpo_model_get_weights(
  _ model: OpaquePointer?, _ offset: Int, _ out_values: UnsafeMutablePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    try model.checkRange(offset, count)
    let target = try output(out_values, capacity: count, needed: count, "out_values")
    target.fill(from: model.weights + offset)
  }
}

@_cdecl("mixgrpo_model_set_weights") @implementation
public func mixgrpo_model_set_weights(
  _ model: OpaquePointer?, _ offset: Int, _ values: UnsafePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    let source = try model.source(offset, values, count)
    if let values = source.baseAddress {
      model.writableWeights().baseAddress.map { ($0 + offset).update(from: values, count: source.count) }
    }
  }
}

@_cdecl("mixgrpo_model_get_gradients") @implementation
public func mixgrpo_model_get_gradients(
  _ model: OpaquePointer?, _ offset: Int, _ out_values: UnsafeMutablePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    try model.checkRange(offset, count)
    let target = try output(out_values, capacity: count, needed: count, "out_values")
    if model.hasGradients {
      target.fill(from: try model.gradients().base + offset)
    } else {
      target.update(repeating: 0)
    }
  }
}

@_cdecl("mixgrpo_model_set_gradients") @implementation
public func mixgrpo_model_set_gradients(
  _ model: OpaquePointer?, _ offset: Int, _ values: UnsafePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let model = try resolve(model, "model", as: ModelObject.self).model
    let source = try model.source(offset, values, count)
    try model.gradients().replace(from: offset, by: source)
  }
}

@_cdecl("mixgrpo_model_zero_gradients") @implementation
public func mixgrpo_model_zero_gradients(_ model: OpaquePointer?) -> mixgrpo_status {
  withStatus { try resolve(model, "model", as: ModelObject.self).model.zeroGradients() }
}

extension FlowTransformer {
  fileprivate func checkRange(_ offset: Int, _ count: Int) throws(MixGRPOError) {
    let total = parameterCount
    try require(
      offset >= 0 && count >= 0 && offset <= total && count <= total - offset, "offset, count",
      expected: "a range within the \(total) values of the model", got: "\(offset), \(count)")
  }

  /// The values for a range of the flat vector, all finite.
  fileprivate func source(
    _ offset: Int, _ values: UnsafePointer<Float>?, _ count: Int
  ) throws(MixGRPOError) -> UnsafeBufferPointer<Float> {
    try checkRange(offset, count)
    let source = try input(values, count: count, "values")
    try requireFinite(source, "values")
    return source
  }
}

extension FloatStorage {
  /// - Precondition: the range is within the storage.
  fileprivate func replace(from offset: Int, by values: UnsafeBufferPointer<Float>) {
    if let source = values.baseAddress { (base + offset).update(from: source, count: values.count) }
  }
}
