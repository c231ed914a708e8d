import MixBasics
import MixNumerics

/// The weights of a frozen model's blocks, in bfloat16. They are widened block by block when an evaluator packs them.
final class RoundedWeights: Sendable {
  private let storage: FloatStorage

  /// - Parameter count: values, all 0 at first.
  init(count: Int) throws(MixGRPOError) { storage = try FloatStorage(count: (count + 1) / 2) }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage.buffer) }

  /// W of a layer, or one of its checkpoint's tensors.
  func matrix(at offset: Int, columns: Int) -> RoundedMatrix {
    RoundedMatrix(UnsafeMutableRawPointer(storage.base).assumingMemoryBound(to: UInt16.self) + offset, columns: columns)
  }
}

extension FlowTransformer {
  /// A copy whose weights never change and take about half the memory: those of the blocks' layers are rounded to bfloat16, all others
  /// stay float32. It can be evaluated, adapted, copied and saved; it has no parameters, so nothing trains it.
  /// - Parameter model: its adapter, if it has one, is merged before rounding.
  /// - Throws: `notFinite` for a weight that is NaN, infinite, or beyond bfloat16's largest value; `outOfMemory`.
  public convenience init(freezing model: FlowTransformer) throws(MixGRPOError) {
    if model.isFrozen {
      try self.init(copying: model)
    } else {
      let whole = model.adapter == nil ? model : try model.merged()
      var places = whole.layout.entries[...]
      try self.init(frozen: whole.configuration) { (entry, target) throws(MixGRPOError) in
        if let place = places.popFirst() { whole.readWeights(place, into: target) }
      }
    }
  }

  /// A frozen model.
  /// - Parameter read: writes the values of a tensor; called in the order of `ParameterLayout.entries`.
  package convenience init(
    frozen configuration: FlowTransformerConfiguration,
    _ read: (ParameterEntry, UnsafeMutablePointer<Float>) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    try configuration.validate()
    let layout = try ParameterLayout(configuration, roundsBlocks: true)
    let floats = try FloatStorage(count: layout.count)
    let rounded = try RoundedWeights(count: layout.roundedCount)
    let largest = layout.entries.map { $0.isRounded ? $0.count : 0 }.max() ?? 0
    let values = try FloatStorage(count: largest)
    for entry in layout.entries {
      let target = entry.isRounded ? values.base : floats.base + entry.offset
      try read(entry, target)
      let isFinite =
        if entry.isRounded {
          rounded.matrix(at: entry.offset, columns: entry.shape[1]).round(target, count: entry.count)
        } else { Reduction.allFinite(target, count: entry.count) }
      guard isFinite else {
        throw MixGRPOError(
          .notFinite, "\(entry.name): expected weights that bfloat16 can hold, got NaN, infinity or more than 3.38e38")
      }
    }
    self.init(configuration, layout, floats, rounded)
  }

  /// The same weights in float32, without the adapter.
  func widened() throws(MixGRPOError) -> FlowTransformer {
    guard isFrozen else { return try FlowTransformer(copying: self) }
    let whole = try FlowTransformer(configuration: configuration)
    guard let weights = whole.writableWeights().baseAddress else { return whole }
    for (entry, target) in zip(layout.entries, whole.layout.entries) { readWeights(entry, into: weights + target.offset) }
    return whole
  }
}
