import MixBasics
import MixNumerics

/// A FLUX-type flow transformer: its sizes, weights and gradients. `FlowEvaluator` runs it.
///
/// Thread rule: any number of evaluators may read the weights at once; writing weights or gradients requires exclusive access.
public final class FlowTransformer: @unchecked Sendable {
  /// The model's sizes.
  public let configuration: FlowTransformerConfiguration
  package let layout: ParameterLayout
  private let storage: FloatStorage
  /// Changes whenever weights may have been written; copies derived from them are then updated. Unique for each state of weights
  /// in a process.
  package private(set) var weightsVersion = UniqueNumber.next()
  private var gradientStorage: FloatStorage?

  /// Every weight tensor by its checkpoint name.
  public var parameters: [ParameterEntry] { layout.entries }
  /// Trainable values: the size of the flat vector of all weights, in the order of `parameters`.
  public var parameterCount: Int { layout.count }

  /// A model with all weights zero.
  public init(configuration: FlowTransformerConfiguration) throws(MixGRPOError) {
    try configuration.validate()
    self.configuration = configuration
    layout = try ParameterLayout(configuration)
    storage = try FloatStorage(count: layout.count)
  }

  /// An independent copy of the weights, for example as a frozen reference; gradients are not copied.
  public convenience init(copying other: FlowTransformer) throws(MixGRPOError) {
    try self.init(configuration: other.configuration)
    storage.base.update(from: other.storage.base, count: layout.count)
  }

  /// All weights, for reading.
  package var weights: UnsafePointer<Float> { UnsafePointer(storage.base) }

  /// All weights, for writing; not to be used after the next evaluation begins.
  package func writableWeights() -> UnsafeMutableBufferPointer<Float> {
    weightsVersion = UniqueNumber.next()
    return storage.buffer
  }

  /// The gradient buffer, laid out like the weights; allocated with zeros at first use.
  package func gradients() throws(MixGRPOError) -> FloatStorage {
    if let gradientStorage { return gradientStorage }
    let storage = try FloatStorage(count: layout.count)
    gradientStorage = storage
    return storage
  }

  /// Whether the gradient buffer is allocated.
  public var hasGradients: Bool { gradientStorage != nil }
  /// Sets all gradients to 0; does nothing when there are none.
  public func zeroGradients() { gradientStorage?.zero() }

  /// - Throws: `invalidArgument` for an unknown name.
  public func parameter(named name: String) throws(MixGRPOError) -> ParameterEntry {
    guard let entry = layout.entries.first(where: { $0.name == name }) else {
      throw .invalid("name", expected: "a parameter of this model", got: "\"\(name)\"")
    }
    return entry
  }

  /// Copies one tensor's weights out, row-major.
  public func readWeights(_ entry: ParameterEntry, into target: UnsafeMutablePointer<Float>) {
    target.update(from: weights + entry.offset, count: entry.count)
  }

  /// Replaces one tensor's weights, row-major.
  public func writeWeights(_ entry: ParameterEntry, from source: UnsafePointer<Float>) {
    weightsVersion = UniqueNumber.next()
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
