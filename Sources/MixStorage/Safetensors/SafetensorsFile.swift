import MixBasics

/// A safetensors file open for reading: the header is checked when it is opened, tensors are read on demand.
///
/// Reads tensors of F32, F16 and BF16 as floats. Safe to use from several threads at once.
package final class SafetensorsFile: Sendable {
  /// In the order of the data.
  package let tensors: [StoredTensor]
  /// The header's `__metadata__`, such as `["format": "pt"]`.
  package let metadata: [String: String]
  private let file: ReadableFile
  private let indices: [String: Int]

  /// - Throws: `inputOutput` when `path` cannot be read; `invalidFormat` when the header is incomplete or does not match the
  ///   file.
  package init(path: String) throws(MixGRPOError) {
    file = try ReadableFile(path: path)
    let header = try SafetensorsHeader(of: file)
    tensors = header.tensors
    metadata = header.metadata
    indices = Dictionary(header.tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: min)
  }

  package var path: String { file.path }

  package func tensor(named name: String) -> StoredTensor? {
    indices[name].map { tensors[$0] }
  }

  /// Reads a tensor, converted to floats.
  /// - Parameters:
  ///   - expectedShape: must equal the stored shape.
  ///   - destination: exactly one float per element, row-major. Its content is undefined after an error.
  /// - Throws: `invalidFormat` when the tensor is missing or has another shape; `unsupported` for an element type other than
  ///   F32, F16 and BF16; `invalidArgument` for a destination of another size; `inputOutput`.
  package func read(
    _ name: String, expectedShape: [Int], into destination: UnsafeMutableBufferPointer<Float>
  ) throws(MixGRPOError) {
    guard let tensor = tensor(named: name) else { throw failure(name, .invalidFormat, expected: "this tensor", got: "none") }
    guard tensor.shape == expectedShape else {
      throw failure(name, .invalidFormat, expected: "shape \(expectedShape)", got: tensor.shape)
    }
    guard destination.count == tensor.elementCount else {
      throw failure(name, .invalidArgument, expected: "room for \(tensor.elementCount) floats", got: destination.count)
    }
    switch tensor.type {
    case .float32: try file.read(into: UnsafeMutableRawBufferPointer(destination), at: tensor.offset)
    case .float16: try readNarrow(tensor, into: destination, HalfFloat.widen)
    case .bfloat16: try readNarrow(tensor, into: destination, BFloat16.widen)
    default: throw failure(name, .unsupported, expected: "F32, F16 or BF16", got: excerpt(tensor.type.name))
    }
  }

  /// Reads the whole file and compares it with the checksum at its end.
  /// - Throws: `invalidFormat` when the checksum is missing or differs; `inputOutput`.
  package func verifyChecksum() throws(MixGRPOError) { try ContentChecksum.verify(file, tensors.last) }

  /// Reads 16-bit elements in chunks of bounded size and widens them.
  private func readNarrow(
    _ tensor: StoredTensor, into destination: UnsafeMutableBufferPointer<Float>, _ widen: (UInt16) -> Float
  ) throws(MixGRPOError) {
    var piece = [UInt16](repeating: 0, count: min(tensor.elementCount, 1 << 17))
    var start = 0
    while start < tensor.elementCount {
      let count = min(piece.count, tensor.elementCount - start)
      try piece.withUnsafeMutableBufferPointer { (piece) throws(MixGRPOError) in
        let part = UnsafeMutableBufferPointer(rebasing: piece[..<count])
        try file.read(into: UnsafeMutableRawBufferPointer(part), at: tensor.offset + 2 * start)
        for index in 0..<count { destination[start + index] = widen(UInt16(littleEndian: part[index])) }
      }
      start += count
    }
  }

  private func failure(_ name: String, _ code: MixGRPOError.Code, expected: String, got: some Any) -> MixGRPOError {
    MixGRPOError(code, "\(printable(path)): \(excerpt(name)): expected \(expected), got \(got)")
  }
}
