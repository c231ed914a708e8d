import MixBasics
import MixNumerics

/// A FLUX-type flow transformer: its sizes, weights and gradients. `FlowEvaluator` runs it.
///
/// A model with an adapter shares the frozen weights of another model. Its own weights, those that are read, written, trained and
/// copied, are the adapter's. A frozen model has no weights to train; those of its blocks are stored in bfloat16.
///
/// Thread rule: any number of evaluators may read the weights at once; writing weights or gradients requires exclusive access.
public final class FlowTransformer: @unchecked Sendable {
  /// The model's sizes.
  public let configuration: FlowTransformerConfiguration
  /// Of the weights that are evaluated.
  package let layout: ParameterLayout
  /// The model that this one adapts, whose weights must not be written meanwhile; nil without an adapter.
  public let frozen: FlowTransformer?
  /// Of the weights of a model with an adapter.
  package let adapter: AdapterLayout?
  /// A factor of the adapter, 0…2: 0 evaluates the frozen model. Not saved with weights; trained weights are those at 1.
  public var adapterStrength = 1.0 { didSet { ownVersion = UniqueNumber.next() } }
  private let storage: FloatStorage
  /// Of a frozen model.
  private let rounded: RoundedWeights?
  /// Changes whenever weights may have been written; copies derived from them are then updated. Unique for each state of weights
  /// in a process.
  package var weightsVersion: Int { max(ownVersion, frozen?.ownVersion ?? 0) }
  private var ownVersion = UniqueNumber.next()
  private var gradientStorage: FloatStorage?

  /// Every weight tensor that can be trained, by its checkpoint name; none of a frozen model.
  public var parameters: [ParameterEntry] { adapter?.entries ?? (isFrozen ? [] : layout.entries) }
  /// Trainable values: the size of the flat vector of all weights, in the order of `parameters`.
  public var parameterCount: Int { adapter?.count ?? (isFrozen ? 0 : layout.count) }
  /// Whether its own weights never change and are partly stored in bfloat16; false for an adapter on such a model.
  public var isFrozen: Bool { rounded != nil }

  /// A model with all weights zero.
  public init(configuration: FlowTransformerConfiguration) throws(MixGRPOError) {
    try configuration.validate()
    self.configuration = configuration
    layout = try ParameterLayout(configuration)
    (frozen, adapter, rounded) = (nil, nil, nil)
    storage = try FloatStorage(count: layout.count)
  }

  /// A frozen model.
  /// - Parameters:
  ///   - layout: with rounded blocks.
  ///   - floats: the weights that stay float32.
  init(
    _ configuration: FlowTransformerConfiguration, _ layout: ParameterLayout, _ floats: FloatStorage, _ rounded: RoundedWeights
  ) {
    (self.configuration, self.layout, storage, self.rounded) = (configuration, layout, floats, rounded)
    (frozen, adapter) = (nil, nil)
  }

  /// A model with an adapter whose values are all zero.
  package init(adapting base: FlowTransformer, _ adapter: AdapterLayout) throws(MixGRPOError) {
    try require(base.frozen == nil, "model", expected: "one without an adapter (merge it first)", got: "one with an adapter")
    (configuration, layout, frozen, self.adapter, rounded) = (base.configuration, base.layout, base, adapter, nil)
    storage = try FloatStorage(count: adapter.count)
  }

  /// An independent copy of the weights, for example as a frozen reference; gradients are not copied. With an adapter, a copy of the
  /// adapter on the same frozen model; a frozen model's copy shares its weights.
  public convenience init(copying other: FlowTransformer) throws(MixGRPOError) {
    if let rounded = other.rounded {
      self.init(other.configuration, other.layout, other.storage, rounded)
    } else if let frozen = other.frozen, let adapter = other.adapter {
      try self.init(adapting: frozen, adapter)
      adapterStrength = other.adapterStrength
    } else {
      try self.init(configuration: other.configuration)
    }
    if !isFrozen { storage.base.update(from: other.storage.base, count: parameterCount) }
  }

  /// The weights that are evaluated, before the adapter changes them, laid out as `layout` says.
  package var baseWeights: UnsafePointer<Float> { frozen?.weights ?? weights }

  /// Calls `body` with all values that the model itself stores: float32, then those of a frozen model's blocks.
  package func withStoredBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
    body(UnsafeRawBufferPointer(storage.buffer))
    if let rounded { body(rounded.bytes) }
  }

  /// The weights of a frozen model's blocks.
  var baseRounded: RoundedWeights? { frozen?.rounded ?? rounded }

  /// All weights, for reading; of the adapter if there is one; of a frozen model those in float32.
  package var weights: UnsafePointer<Float> { UnsafePointer(storage.base) }

  /// All weights, for writing; none of a frozen model. Not to be used after the next evaluation begins.
  package func writableWeights() -> UnsafeMutableBufferPointer<Float> {
    if isFrozen { return UnsafeMutableBufferPointer(start: nil, count: 0) }
    ownVersion = UniqueNumber.next()
    return storage.buffer
  }

  /// The gradient buffer, laid out like the weights; allocated with zeros at first use.
  package func gradients() throws(MixGRPOError) -> FloatStorage {
    if let gradientStorage { return gradientStorage }
    let storage = try FloatStorage(count: parameterCount)
    gradientStorage = storage
    return storage
  }

  /// Whether the gradient buffer is allocated.
  public var hasGradients: Bool { gradientStorage != nil }
  /// Sets all gradients to 0; does nothing when there are none.
  public func zeroGradients() { gradientStorage?.zero() }

  /// - Throws: `invalidArgument` for an unknown name.
  public func parameter(named name: String) throws(MixGRPOError) -> ParameterEntry {
    guard let entry = parameters.first(where: { $0.name == name }) else {
      throw .invalid("name", expected: "a parameter of this model", got: "\"\(name)\"")
    }
    return entry
  }

  /// Copies one tensor's weights out, row-major.
  public func readWeights(_ entry: ParameterEntry, into target: UnsafeMutablePointer<Float>) {
    if entry.isRounded, let rounded {
      let matrix = Matrix(target, rows: entry.shape[0], columns: entry.shape[1])
      return rounded.matrix(at: entry.offset, columns: matrix.columns).widen(0..<matrix.rows, into: matrix)
    }
    target.update(from: weights + entry.offset, count: entry.count)
  }

  /// Replaces one tensor's weights, row-major.
  public func writeWeights(_ entry: ParameterEntry, from source: UnsafePointer<Float>) {
    ownVersion = UniqueNumber.next()
    (storage.base + entry.offset).update(from: source, count: entry.count)
  }

  /// Copies one tensor's gradient out, row-major; zeros before any backward.
  public func readGradients(_ entry: ParameterEntry, into target: UnsafeMutablePointer<Float>) {
    if let gradientStorage {
      target.update(from: gradientStorage.base + entry.offset, count: entry.count)
    } else {
      target.update(repeating: 0, count: entry.count)
    }
  }

  /// Replaces one tensor's gradient, row-major.
  public func writeGradients(_ entry: ParameterEntry, from source: UnsafePointer<Float>) throws(MixGRPOError) {
    (try gradients().base + entry.offset).update(from: source, count: entry.count)
  }
}
