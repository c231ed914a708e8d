import CMixGRPO
import MixBasics
import MixSettings

/// A struct of the header: its first field is its size in bytes, and every bit pattern of its other fields is harmless.
protocol SizedStruct {
  init()
  var struct_size: UInt32 { get set }
  /// The sizes it had before it grew, which hosts compiled then still pass. A struct that grows again gets one more.
  static var earlierByteCounts: [Int] { get }
  /// What the fields are that an earlier size lacks.
  static var defaults: Self { get }
}

extension SizedStruct {
  static var byteCount: Int { MemoryLayout<Self>.size }
  static var earlierByteCounts: [Int] { [] }
  static var defaults: Self { Self() }

  /// The sizes before each of these fields was added.
  static func sizes(before fields: PartialKeyPath<Self>...) -> [Int] {
    var sizes: [Int] = []
    for field in fields { if let offset = MemoryLayout<Self>.offset(of: field) { sizes.append(offset) } }
    return sizes
  }
}

extension mixgrpo_progress: SizedStruct {}
extension mixgrpo_model_config: SizedStruct {}
extension mixgrpo_parameter_info: SizedStruct {}
extension mixgrpo_evaluator_config: SizedStruct {
  static var earlierByteCounts: [Int] { sizes(before: \.max_bytes) }
  static var defaults: Self { .standard }
}
extension mixgrpo_sampling_config: SizedStruct {
  static var earlierByteCounts: [Int] { sizes(before: \.window_minimum_gain) }
  static var defaults: Self { .standard }
}
extension mixgrpo_learning_config: SizedStruct {
  static var earlierByteCounts: [Int] { sizes(before: \.fault_policy) }
  static var defaults: Self { .standard }
}
extension mixgrpo_iteration_plan: SizedStruct {}
extension mixgrpo_step: SizedStruct {}
extension mixgrpo_adaptive_window: SizedStruct {}
extension mixgrpo_workload: SizedStruct {
  static var earlierByteCounts: [Int] { sizes(before: \.recompute_activations) }
}
extension mixgrpo_memory: SizedStruct {}
extension mixgrpo_rollout_config: SizedStruct {}
extension mixgrpo_velocity_request: SizedStruct {}
extension mixgrpo_advantage_report: SizedStruct {}
extension mixgrpo_update_statistics: SizedStruct {}
extension mixgrpo_optimizer_report: SizedStruct {}
extension mixgrpo_metrics: SizedStruct {
  static var earlierByteCounts: [Int] { sizes(before: \.skipped_steps) }
}
extension mixgrpo_reward_metrics: SizedStruct {}
extension mixgrpo_resumption: SizedStruct {}
extension mixgrpo_sample_config: SizedStruct {}
extension mixgrpo_evaluation_config: SizedStruct {}
extension mixgrpo_evaluation_result: SizedStruct {}
extension mixgrpo_image_info: SizedStruct {}
extension mixgrpo_setting: SizedStruct {}

/// A configuration that the host passes; what an earlier size lacks has its default.
/// - Throws: `invalidArgument` for NULL or for a struct_size that the struct never had.
func read<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Struct {
  try HostStruct(UnsafeMutablePointer(mutating: pointer), argument, expected: "a struct").current
}

/// As above, nil for NULL.
func readOptional<Struct: SizedStruct>(
  _ pointer: UnsafePointer<Struct>?, _ argument: String
) throws(MixGRPOError) -> Struct? {
  pointer == nil ? nil : try read(pointer, argument)
}

/// A struct in the host's memory, in the size that the host was compiled with: not a byte beyond it is touched.
struct HostStruct<Struct: SizedStruct> {
  private let bytes: UnsafeMutableRawBufferPointer

  /// Its size was set by the host.
  init(
    _ pointer: UnsafeMutablePointer<Struct>?, _ argument: String, expected: String = "a place for the result"
  ) throws(MixGRPOError) {
    let size = UnsafeMutableRawPointer(try Self.place(pointer, argument, expected)).load(as: UInt32.self)
    try self.init(pointer, size: Int(size), argument, field: "\(argument).struct_size", expected: expected)
  }

  /// Its size comes beside the pointer, as the struct holds none yet.
  init(
    _ pointer: UnsafeMutablePointer<Struct>?, size: Int, _ argument: String, field: @autoclosure () -> String = "struct_size",
    expected: String = "a place for the result"
  ) throws(MixGRPOError) {
    let place = try Self.place(pointer, argument, expected)
    // The usual size is found without an allocation.
    try require(
      size == Struct.byteCount || Struct.earlierByteCounts.contains(size), field(),
      expected: (Struct.earlierByteCounts + [Struct.byteCount]).map(String.init).joined(separator: " or "), got: size)
    // An earlier struct may have had no field of 8 bytes yet.
    let alignment = size == Struct.byteCount ? MemoryLayout<Struct>.alignment : MemoryLayout<UInt32>.alignment
    try Self.checkAligned(place, to: alignment, argument)
    bytes = UnsafeMutableRawBufferPointer(start: place, count: size)
  }

  /// Nil for NULL.
  static func optional(_ pointer: UnsafeMutablePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Self? {
    pointer == nil ? nil : try Self(pointer, argument)
  }

  var current: Struct {
    var value = Struct.defaults
    withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: UnsafeRawBufferPointer(bytes)) }
    value.struct_size = UInt32(Struct.byteCount)
    return value
  }

  func write(_ value: Struct) {
    var value = value
    value.struct_size = UInt32(bytes.count)
    withUnsafeBytes(of: value) { bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(bytes.count))) }
  }

  private static func place(
    _ pointer: UnsafeMutablePointer<Struct>?, _ argument: String, _ expected: String
  ) throws(MixGRPOError) -> UnsafeMutableRawPointer {
    guard let pointer else { throw .invalid(argument, expected: expected, got: "NULL") }
    try checkAligned(UnsafeMutableRawPointer(pointer), to: MemoryLayout<UInt32>.alignment, argument)
    return UnsafeMutableRawPointer(pointer)
  }

  private static func checkAligned(
    _ place: UnsafeMutableRawPointer, to alignment: Int, _ argument: String
  ) throws(MixGRPOError) {
    try require(
      Int(bitPattern: place) % alignment == 0, argument, expected: "a pointer aligned to \(alignment) bytes", got: "a misaligned one")
  }
}

/// Where an `_init` call puts defaults.
func writeDefaults<Struct: SizedStruct>(
  _ defaults: Struct, to pointer: UnsafeMutablePointer<Struct>?, size: Int, _ argument: String
) throws(MixGRPOError) {
  try HostStruct(pointer, size: size, argument).write(defaults)
}

// MARK: - Fields

func flag(_ value: Int32, _ field: String) throws(MixGRPOError) -> Bool {
  try require(value == 0 || value == 1, field, expected: "0 or 1", got: value)
  return value == 1
}

func requireReserved(_ value: Int32, _ field: String = "reserved") throws(MixGRPOError) {
  try require(value == 0, field, expected: "0", got: value)
}

/// An enum of the Swift library with pinned raw values from a field.
func choice<Choice: RawRepresentable & CaseIterable>(
  _ value: Int32, _ field: String, as _: Choice.Type = Choice.self
) throws(MixGRPOError) -> Choice where Choice.RawValue == Int32 {
  guard let choice = Choice(rawValue: value) else {
    throw .invalid(field, expected: "one of \(Choice.allCases.map(\.rawValue).sorted())", got: value)
  }
  return choice
}
