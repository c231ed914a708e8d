import CMixGRPO
import Glibc
import MixBasics

private let maximumTextBytes = 1 << 24

/// A C string as UTF-8 text.
/// - Throws: `invalidArgument` for NULL, for bytes that are not UTF-8, and beyond 16 MiB.
func text(_ pointer: UnsafePointer<CChar>?, _ argument: String) throws(MixGRPOError) -> String {
  guard let pointer else { throw .invalid(argument, expected: "a string", got: "NULL") }
  let length = strnlen(pointer, maximumTextBytes + 1)
  try require(length <= maximumTextBytes, argument, expected: "at most \(maximumTextBytes) bytes", got: "more")
  try Memory.require(bytes: length)
  let bytes = UnsafeRawBufferPointer(start: pointer, count: length)
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw .invalid(argument, expected: "UTF-8", got: "other bytes")
  }
  return text
}

func path(_ pointer: UnsafePointer<CChar>?, _ argument: String) throws(MixGRPOError) -> String {
  let path = try text(pointer, argument)
  try require(!path.isEmpty, argument, expected: "a path", got: "an empty string")
  return path
}

func texts(
  _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, count: Int, _ argument: String
) throws(MixGRPOError) -> [String] {
  let entries = try input(pointer, count: count, argument)
  try Memory.require(count, of: 48)
  var result: [String] = []
  for (index, entry) in entries.enumerated() {
    result.append(try text(entry, "\(argument)[\(index)]"))
  }
  return result
}

/// Copies values to the host, and their number to `size`; NULL with capacity 0 writes only the number.
func deliver<Value: BitwiseCopyable>(
  _ values: [Value], to pointer: UnsafeMutablePointer<Value>?, capacity: Int, size: UnsafeMutablePointer<Int>?,
  _ argument: String
) throws(MixGRPOError) {
  let onlyAsks = pointer == nil && capacity == 0
  let sizePlace = onlyAsks || size != nil ? try place(size, "out_size") : nil
  if !onlyAsks {
    try output(pointer, capacity: capacity, needed: values.count, argument).copy(values)
  }
  sizePlace?.pointee = values.count
}

/// Copies text with its terminating zero to the host, and its size to `size`; NULL with capacity 0 writes only the size.
func deliver(
  _ text: String, to pointer: UnsafeMutablePointer<CChar>?, capacity: Int, size: UnsafeMutablePointer<Int>?,
  _ argument: String
) throws(MixGRPOError) {
  let bytes = UnsafeMutableRawPointer(pointer)?.assumingMemoryBound(to: UInt8.self)
  try deliver(Array(text.utf8) + [0], to: bytes, capacity: capacity, size: size, argument)
}
