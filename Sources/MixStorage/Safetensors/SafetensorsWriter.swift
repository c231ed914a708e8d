import MixBasics

/// The element type of stored weights.
package enum WeightPrecision: String, Sendable, CaseIterable {
  /// 4 bytes, exact.
  case float32 = "F32"
  /// 2 bytes, rounded to the nearest, ties to even.
  case bfloat16 = "BF16"

  package var bytesPerElement: Int { self == .float32 ? 4 : 2 }
}

/// A tensor to write. The values belong to the caller and must stay valid until the write returns.
package struct WeightEntry {
  package let name: String
  package let shape: [Int]
  /// Row-major; the count equals the product of `shape`.
  package let values: UnsafeBufferPointer<Float>

  package init(name: String, shape: [Int], values: UnsafeBufferPointer<Float>) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// Writes safetensors files atomically.
package enum SafetensorsWriter {
  private static let pieceElements = 1 << 17

  /// Replaces `path` by a file of `entries`, their data in the same order, without gaps.
  /// - Parameter metadata: the header's `__metadata__`; the default is what PyTorch loaders expect.
  /// - Parameter checksum: append a checksum tensor, which `SafetensorsFile.verifyChecksum` compares with everything before it.
  /// - Throws: `invalidArgument` for a duplicate name, a reserved name, or a shape that does not match its values;
  ///   `inputOutput`.
  package static func write(
    _ entries: [WeightEntry], precision: WeightPrecision, metadata: [(String, String)] = [("format", "pt")],
    checksum: Bool = false, to path: String
  ) throws(MixGRPOError) {
    let header = try header(of: entries, precision: precision, metadata: metadata, checksum: checksum)
    try AtomicFile.write(to: path) { (file) throws(MixGRPOError) in
      try file.write(header)
      for entry in entries { try write(entry.values, precision, to: file) }
      if checksum { try file.write(ContentChecksum.bytes(of: file.digest)) }
    }
  }

  /// Length and JSON, padded with spaces so that the data starts at a multiple of 8.
  private static func header(
    of entries: [WeightEntry], precision: WeightPrecision, metadata: [(String, String)], checksum: Bool
  ) throws(MixGRPOError) -> [UInt8] {
    try Memory.require(entries.count, of: 2048)
    var names: Set<String> = [SafetensorsHeader.metadataName]
    if checksum { names.insert(ContentChecksum.tensorName) }
    var members: [JSONObject.Member] = []
    if !metadata.isEmpty {
      var object = JSONObject()
      for (name, text) in metadata { object[name] = .string(text) }
      members.append(JSONObject.Member(name: SafetensorsHeader.metadataName, value: .object(object)))
    }
    var begin = 0
    for entry in entries {
      try require(names.insert(entry.name).inserted, "tensor name", expected: "one not taken", got: excerpt(entry.name))
      try checkShape(of: entry)
      let end = begin + entry.values.count * precision.bytesPerElement
      members.append(JSONObject.Member(name: entry.name, value: description(of: entry, precision, begin, end)))
      begin = end
    }
    if checksum { members.append(ContentChecksum.member(at: begin)) }
    return try framed(.object(JSONObject(uniqueMembers: members)))
  }

  private static func checkShape(of entry: WeightEntry) throws(MixGRPOError) {
    var count = 1
    var fits = true
    for size in entry.shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      fits = fits && size >= 0 && !overflow
      count = product
    }
    try require(
      fits && count == entry.values.count, "\(excerpt(entry.name)): shape",
      expected: "a product of \(entry.values.count)", got: entry.shape)
  }

  private static func description(
    of entry: WeightEntry, _ precision: WeightPrecision, _ begin: Int, _ end: Int
  ) -> JSONValue {
    [
      "dtype": .string(precision.rawValue),
      "shape": .array(entry.shape.map { .integer(Int64($0)) }),
      "data_offsets": [.integer(Int64(begin)), .integer(Int64(end))],
    ]
  }

  private static func framed(_ header: JSONValue) throws(MixGRPOError) -> [UInt8] {
    var text = Array(try header.text().utf8)
    text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    try require(
      text.count <= SafetensorsHeader.maximumBytes, "header",
      expected: "at most \(SafetensorsHeader.maximumBytes) bytes", got: text.count)
    let length = (0..<SafetensorsHeader.prefixBytes).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return length + text
  }

  private static func write(
    _ values: UnsafeBufferPointer<Float>, _ precision: WeightPrecision, to file: WritableFile
  ) throws(MixGRPOError) {
    switch precision {
    case .float32: try file.write(UnsafeRawBufferPointer(values))
    case .bfloat16: try writeNarrow(values, to: file)
    }
  }

  private static func writeNarrow(_ values: UnsafeBufferPointer<Float>, to file: WritableFile) throws(MixGRPOError) {
    var piece = [UInt16](repeating: 0, count: min(values.count, pieceElements))
    var start = 0
    while start < values.count {
      let count = min(piece.count, values.count - start)
      for index in 0..<count { piece[index] = BFloat16.narrow(values[start + index]).littleEndian }
      try piece.withUnsafeBufferPointer { (piece) throws(MixGRPOError) in
        try file.write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: piece[..<count])))
      }
      start += count
    }
  }
}
