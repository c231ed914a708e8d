/// The element type of a stored tensor, by its safetensors name.
package struct TensorType: Equatable, Sendable {
  package let name: String

  package init(name: String) { self.name = name }

  package static let float32 = TensorType(name: "F32")
  package static let float16 = TensorType(name: "F16")
  package static let bfloat16 = TensorType(name: "BF16")

  /// Nil for a type that this library does not know, or whose elements are not whole bytes.
  package var bytesPerElement: Int? {
    switch name {
    case "BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0": 1
    case "F16", "BF16", "U16", "I16": 2
    case "F32", "U32", "I32": 4
    case "F64", "U64", "I64", "C64": 8
    default: nil
    }
  }
}

/// One tensor's entry in a safetensors header, checked against the file.
package struct StoredTensor: Equatable, Sendable {
  package let name: String
  package let type: TensorType
  /// Row-major, outermost first; empty for a scalar.
  package let shape: [Int]
  package let elementCount: Int
  /// Byte offset from the start of the file.
  let offset: Int
  let byteCount: Int
}
