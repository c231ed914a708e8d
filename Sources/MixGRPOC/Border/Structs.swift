import CMixGRPO
import MixBasics
import MixSettings

// Those that are no configurations.

extension mixgrpo_progress: SizedStruct {}
extension mixgrpo_parameter_info: SizedStruct {}
extension mixgrpo_iteration_plan: SizedStruct {}
extension mixgrpo_step: SizedStruct {}
extension mixgrpo_adaptive_window: SizedStruct {}
extension mixgrpo_workload: SizedStruct {}
extension mixgrpo_memory: SizedStruct {}
extension mixgrpo_velocity_request: SizedStruct {}
extension mixgrpo_advantage_report: SizedStruct {}
extension mixgrpo_update_statistics: SizedStruct {}
extension mixgrpo_optimizer_report: SizedStruct {}
extension mixgrpo_metrics: SizedStruct {}
extension mixgrpo_reward_metrics: SizedStruct {}
extension mixgrpo_resumption: SizedStruct {}
extension mixgrpo_collective: SizedStruct {}
extension mixgrpo_evaluation_result: SizedStruct {}
extension mixgrpo_image_info: SizedStruct {}
extension mixgrpo_setting: SizedStruct {}

/// A configuration that the host passes.
/// - Throws: `invalidArgument` for NULL or for another struct_size.
func read<Struct: SizedStruct>(_ pointer: UnsafePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Struct {
  try HostStruct(UnsafeMutablePointer(mutating: pointer), argument, expected: "a struct").current
}

/// A configuration that the host passes; nil for NULL.
/// - Throws: `invalidArgument` for another struct_size.
func readOptional<Struct: SizedStruct>(
  _ pointer: UnsafePointer<Struct>?, _ argument: String
) throws(MixGRPOError) -> Struct? {
  pointer == nil ? nil : try read(pointer, argument)
}

/// A struct in the host's memory, whose size the host has set or passed.
struct HostStruct<Struct: SizedStruct> {
  private let place: UnsafeMutablePointer<Struct>

  /// A struct whose struct_size the host has set.
  init(
    _ pointer: UnsafeMutablePointer<Struct>?, _ argument: String, expected: String = "a place for the result"
  ) throws(MixGRPOError) {
    place = try MixGRPOC.place(pointer, argument, expected: expected)
    try Self.requireSize(Int(place.pointee.struct_size), "\(argument).struct_size")
  }

  /// A struct whose size is an argument, because its struct_size is not set yet.
  init(_ pointer: UnsafeMutablePointer<Struct>?, size: Int, _ argument: String) throws(MixGRPOError) {
    place = try MixGRPOC.place(pointer, argument)
    try Self.requireSize(size, "struct_size")
  }

  /// A struct whose struct_size the host has set; nil for NULL.
  static func optional(_ pointer: UnsafeMutablePointer<Struct>?, _ argument: String) throws(MixGRPOError) -> Self? {
    pointer == nil ? nil : try Self(pointer, argument)
  }

  var current: Struct { place.pointee }

  func write(_ value: Struct) {
    place.pointee = value
    place.pointee.struct_size = UInt32(Struct.byteCount)
  }

  private static func requireSize(_ size: Int, _ field: @autoclosure () -> String) throws(MixGRPOError) {
    try require(size == Struct.byteCount, field(), expected: "\(Struct.byteCount)", got: UInt(bitPattern: size))
  }
}

/// Writes the defaults of an `_init` function.
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

/// The case of a Swift enum with pinned raw values.
/// - Throws: `invalidArgument` for another value.
func choice<Choice: RawRepresentable & CaseIterable>(
  _ value: Int32, _ field: String, as _: Choice.Type = Choice.self
) throws(MixGRPOError) -> Choice where Choice.RawValue == Int32 {
  guard let choice = Choice(rawValue: value) else {
    throw .invalid(field, expected: "one of \(Choice.allCases.map(\.rawValue).sorted())", got: value)
  }
  return choice
}
