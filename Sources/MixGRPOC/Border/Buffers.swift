import MixBasics
import MixNumerics

// Checks of a host's arguments. A `size_t` is an `Int` here: an absurdly large one is negative.

/// The product of sizes from the host.
/// - Throws: `invalidArgument` when it is larger than any memory.
func checkedProduct(_ sizes: Int..., field: String) throws(MixGRPOError) -> Int {
  var total = 1
  for size in sizes { total = try checkedProduct(size, total, field) }
  return total
}

/// The product of a size from the host and one that is not negative, without an allocation.
/// - Throws: `invalidArgument` when it is larger than any memory.
@discardableResult
func checkedProduct(_ count: Int, _ size: Int, _ field: @autoclosure () -> String) throws(MixGRPOError) -> Int {
  let (product, overflow) = count.multipliedReportingOverflow(by: size)
  try require(
    count >= 0 && !overflow && product <= Int.max / 16, field(), expected: "a size in memory", got: UInt(bitPattern: count))
  return product
}

/// The address for one output value.
func place<Value>(
  _ pointer: UnsafeMutablePointer<Value>?, _ argument: String, expected: String = "a place for the result"
) throws(MixGRPOError) -> UnsafeMutablePointer<Value> {
  guard let pointer else { throw .invalid(argument, expected: expected, got: "NULL") }
  try checkAligned(UnsafeRawPointer(pointer), Value.self, argument)
  return pointer
}

/// `count` values to read; may be NULL when there are none.
func input<Value>(
  _ pointer: UnsafePointer<Value>?, count: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeBufferPointer<Value> {
  try checkedProduct(count, MemoryLayout<Value>.stride, argument)
  guard let pointer else {
    try require(count == 0, argument, expected: "\(count) values", got: "NULL")
    return UnsafeBufferPointer(start: nil, count: 0)
  }
  try checkAligned(UnsafeRawPointer(pointer), Value.self, argument)
  return UnsafeBufferPointer(start: pointer, count: count)
}

/// A copy of `count` values.
func copy<Value>(_ pointer: UnsafePointer<Value>?, count: Int, _ argument: String) throws(MixGRPOError) -> [Value] {
  let values = try input(pointer, count: count, argument)
  try Memory.require(count, of: MemoryLayout<Value>.stride)
  return Array(values)
}

/// Values to read, of which there must be `expected`.
func input<Value>(
  _ pointer: UnsafePointer<Value>?, count: Int, expected: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeBufferPointer<Value> {
  try require(count == expected, argument, expected: "\(expected) values", got: count)
  return try input(pointer, count: count, argument)
}

/// Optional values to read: NULL with count 0, or `expected` of them.
func optionalInput<Value>(
  _ pointer: UnsafePointer<Value>?, count: Int, expected: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeBufferPointer<Value>? {
  if pointer == nil && count == 0 { return nil }
  return try input(pointer, count: count, expected: expected, argument)
}

/// Room for `needed` values in a buffer that has room for `capacity`.
func output<Value>(
  _ pointer: UnsafeMutablePointer<Value>?, capacity: Int, needed: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeMutableBufferPointer<Value> {
  try checkedProduct(capacity, 1, "\(argument) capacity")
  guard let pointer else {
    try require(needed == 0, argument, expected: "room for \(needed) values", got: "NULL")
    return UnsafeMutableBufferPointer(start: nil, count: 0)
  }
  try checkAligned(UnsafeRawPointer(pointer), Value.self, argument)
  guard capacity >= needed else {
    throw MixGRPOError(.bufferTooSmall, "\(argument): expected room for \(needed) values, got \(capacity)")
  }
  return UnsafeMutableBufferPointer(start: pointer, count: needed)
}

/// Room for `needed` values; nil for NULL with capacity 0.
func optionalOutput<Value>(
  _ pointer: UnsafeMutablePointer<Value>?, capacity: Int, needed: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeMutableBufferPointer<Value>? {
  if pointer == nil && capacity == 0 { return nil }
  return try output(pointer, capacity: capacity, needed: needed, argument)
}

private func checkAligned<Value>(
  _ pointer: UnsafeRawPointer, _: Value.Type, _ argument: String
) throws(MixGRPOError) {
  let alignment = MemoryLayout<Value>.alignment
  try require(
    Int(bitPattern: pointer) % alignment == 0, argument, expected: "a pointer aligned to \(alignment) bytes",
    got: "a misaligned one")
}

// MARK: - Values

func requireFinite(_ values: UnsafeBufferPointer<Float>, _ argument: String) throws(MixGRPOError) {
  guard let base = values.baseAddress, !Reduction.allFinite(base, count: values.count) else { return }
  let index = values.firstIndex { !$0.isFinite } ?? 0
  throw .invalid("\(argument)[\(index)]", expected: "a finite value", got: values[index])
}

func requireFinite(_ values: UnsafeBufferPointer<Double>, _ argument: String) throws(MixGRPOError) {
  guard let index = values.firstIndex(where: { !$0.isFinite }) else { return }
  throw .invalid("\(argument)[\(index)]", expected: "a finite value", got: values[index])
}

func requireRange<Value: Comparable>(_ value: Value, _ range: ClosedRange<Value>, _ field: String) throws(MixGRPOError) {
  try require(range.contains(value), field, expected: "\(range.lowerBound)…\(range.upperBound)", got: value)
}

/// Checks a `size_t`, which is an `Int` here; the error shows it without a sign.
func requireRange(_ count: Int, _ range: ClosedRange<Int>, _ field: String) throws(MixGRPOError) {
  try require(
    range.contains(count), field, expected: "\(range.lowerBound)…\(range.upperBound)", got: UInt(bitPattern: count))
}

extension UnsafeMutableBufferPointer {
  /// Copies as many values as fit; the caller has checked that all do.
  func fill(from source: UnsafePointer<Element>) { baseAddress?.update(from: source, count: count) }
}

/// Runs `body` on memory of this library, then copies it out: a failure leaves the host's buffer untouched.
func writeWhenDone(
  _ target: UnsafeMutableBufferPointer<Float>, _ body: (UnsafeMutablePointer<Float>) throws -> Void
) throws {
  let result = try FloatStorage(count: target.count)
  try body(result.base)
  target.fill(from: result.base)
}

extension UnsafeMutableBufferPointer {
  /// Copies an array of exactly this size.
  func copy(_ values: [Element]) where Element: BitwiseCopyable {
    values.withUnsafeBufferPointer { values in
      if let base = values.baseAddress, values.count == count { fill(from: base) }
    }
  }
}
