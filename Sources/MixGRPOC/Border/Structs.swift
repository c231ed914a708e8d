import CMixGRPO
import MixBasics

/// A struct of the header: its first field is its size in bytes, and every bit pattern of its other fields is harmless.
protocol SizedStruct {
  init()
  var struct_size: UInt32 { get set }
}

extension SizedStruct {
  static var byteCount: Int { MemoryLayout<Self>.size }
}

extension mixgrpo_progress: SizedStruct {}
extension mixgrpo_model_config: SizedStruct {}
extension mixgrpo_parameter_info: SizedStruct {}
extension mixgrpo_evaluator_config: SizedStruct {}
extension mixgrpo_sampling_config: SizedStruct {}
extension mixgrpo_learning_config: SizedStruct {}
extension mixgrpo_iteration_plan: SizedStruct {}
extension mixgrpo_step: SizedStruct {}
extension mixgrpo_adaptive_window: SizedStruct {}
extension mixgrpo_workload: SizedStruct {}
extension mixgrpo_memory: SizedStruct {}
extension mixgrpo_rollout_config: SizedStruct {}
extension mixgrpo_velocity_request: SizedStruct {}
extension mixgrpo_advantage_report: SizedStruct {}
extension mixgrpo_update_statistics: SizedStruct {}
extension mixgrpo_optimizer_report: SizedStruct {}
extension mixgrpo_metrics: SizedStruct {}
extension mixgrpo_reward_metrics: SizedStruct {}
extension mixgrpo_resumption: SizedStruct {}
extension mixgrpo_sample_config: SizedStruct {}
extension mixgrpo_evaluation_config: SizedStruct {}
extension mixgrpo_evaluation_result: SizedStruct {}
extension mixgrpo_image_info: SizedStruct {}

/// A configuration that the host passes.
/// - Throws: `invalidArgument` for NULL or for another struct_size than this library's.
func read<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Struct {
  let value = try input(pointer, count: 1, argument)[0]
  try checkSize(value.struct_size, Struct.self, argument)
  return value
}

/// As above, nil for NULL.
func readOptional<Struct: SizedStruct>(
  _ pointer: UnsafePointer<Struct>?, _ argument: String
) throws(MixGRPOError) -> Struct? {
  pointer == nil ? nil : try read(pointer, argument)
}

/// Where a result struct goes; its size was set by the host.
struct ResultPlace<Struct: SizedStruct> {
  private let pointer: UnsafeMutablePointer<Struct>

  init(_ pointer: UnsafeMutablePointer<Struct>?, _ argument: String) throws(MixGRPOError) {
    self.pointer = try place(pointer, argument)
    try checkSize(self.pointer.pointee.struct_size, Struct.self, argument)
  }

  /// Nil for NULL.
  static func optional(_ pointer: UnsafeMutablePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Self? {
    pointer == nil ? nil : try Self(pointer, argument)
  }

  var current: Struct { pointer.pointee }

  func write(_ value: Struct) {
    var value = value
    value.struct_size = UInt32(Struct.byteCount)
    pointer.pointee = value
  }
}

/// Where an `_init` call puts defaults; the size comes beside the pointer, as the struct holds none yet.
func writeDefaults<Struct: SizedStruct>(
  _ defaults: Struct, to pointer: UnsafeMutablePointer<Struct>?, size: Int, _ argument: String
) throws(MixGRPOError) {
  let target = try checkDefaults(pointer, size: size, argument)
  var value = defaults
  value.struct_size = UInt32(Struct.byteCount)
  target.pointee = value
}

@discardableResult
func checkDefaults<Struct: SizedStruct>(
  _ pointer: UnsafeMutablePointer<Struct>?, size: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeMutablePointer<Struct> {
  let target = try place(pointer, argument)
  try require(size == Struct.byteCount, "struct_size", expected: "\(Struct.byteCount)", got: size)
  return target
}

private func checkSize<Struct: SizedStruct>(
  _ size: UInt32, _: Struct.Type, _ argument: String
) throws(MixGRPOError) {
  try require(Int(size) == Struct.byteCount, "\(argument).struct_size", expected: "\(Struct.byteCount)", got: size)
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
