import MixBasics

/// The header of a safetensors file: 8 bytes of length (little-endian), then that many bytes of JSON, then the data.
///
/// The header is untrusted. Its length is checked against the file, every shape against its span of data, and the spans against
/// each other: together they must cover the data without gap or overlap.
struct SafetensorsHeader {
  static let maximumBytes = 100_000_000
  static let prefixBytes = 8
  static let metadataName = "__metadata__"

  /// In the order of the data.
  private(set) var tensors: [StoredTensor] = []
  private(set) var metadata: [String: String] = [:]
  private let path: String
  private let dataStart: Int
  private let dataBytes: Int

  init(of file: ReadableFile) throws(MixGRPOError) {
    path = printable(file.path)
    let headerBytes = try Self.headerLength(of: file)
    dataStart = Self.prefixBytes + headerBytes
    dataBytes = file.byteCount - dataStart
    let text = try file.bytes(at: Self.prefixBytes, count: headerBytes)
    guard text.first == UInt8(ascii: "{") else { throw failure("header", expected: "'{' as first byte", got: "another") }
    guard case .object(let object) = try JSONParser.parse(text, source: path) else {
      throw failure("header", expected: "an object", got: "something else")
    }
    try Memory.require(object.members.count, of: 512)
    for member in object.members { try read(member) }
    tensors.sort { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }
    try checkSpans()
  }

  private static func headerLength(of file: ReadableFile) throws(MixGRPOError) -> Int {
    let path = printable(file.path)
    guard file.byteCount >= prefixBytes else {
      throw MixGRPOError(.invalidFormat, "\(path): expected at least \(prefixBytes) bytes, got \(file.byteCount)")
    }
    let prefix = try file.bytes(at: 0, count: prefixBytes)
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let longest = min(maximumBytes, file.byteCount - prefixBytes)
    guard length >= 2, length <= UInt64(longest) else {
      if let other = ForeignFile.name(of: try file.bytes(at: 0, count: min(32, file.byteCount))) {
        throw MixGRPOError(.invalidFormat, "\(path): header: expected a safetensors file, got \(other)")
      }
      throw MixGRPOError(.invalidFormat, "\(path): header length: expected 2…\(longest) bytes, got \(length)")
    }
    return Int(length)
  }

  private mutating func read(_ member: JSONObject.Member) throws(MixGRPOError) {
    if member.name == Self.metadataName {
      try readMetadata(member.value)
    } else {
      tensors.append(try tensor(member.name, member.value))
    }
  }

  private mutating func readMetadata(_ value: JSONValue) throws(MixGRPOError) {
    guard let object = value.object else { throw failure(Self.metadataName, expected: "an object", got: value.kind) }
    for entry in object.members {
      guard let text = entry.value.string else {
        throw failure("\(Self.metadataName).\(excerpt(entry.name))", expected: "a string", got: entry.value.kind)
      }
      metadata[entry.name] = text
    }
  }

  private func tensor(_ name: String, _ value: JSONValue) throws(MixGRPOError) -> StoredTensor {
    guard let fields = value.object else { throw failure(name, expected: "an object", got: value.kind) }
    guard let typeName = fields["dtype"]?.string else { throw failure("\(name): dtype", expected: "a string", got: "none") }
    let type = TensorType(name: typeName)
    let shape = try sizes(fields["shape"], "\(name): shape")
    let offsets = try sizes(fields["data_offsets"], "\(name): data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= dataBytes else {
      throw failure("\(name): data_offsets", expected: "[begin, end] within \(dataBytes) bytes", got: "\(offsets.prefix(3))")
    }
    let byteCount = offsets[1] - offsets[0]
    let elementCount = try elementCount(of: shape, name)
    if let size = type.bytesPerElement {
      let (wanted, overflow) = elementCount.multipliedReportingOverflow(by: size)
      guard !overflow, wanted == byteCount else {
        throw failure("\(name): data_offsets", expected: "\(elementCount) × \(size) bytes", got: byteCount)
      }
    }
    // An element of an unknown type takes at least one bit, so that sums of element counts stay within those of bytes.
    guard type.bytesPerElement != nil || elementCount / 8 <= byteCount else {
      throw failure("\(name): data_offsets", expected: "at least \(elementCount / 8) bytes", got: byteCount)
    }
    return StoredTensor(
      name: name, type: type, shape: shape, elementCount: elementCount, offset: dataStart + offsets[0], byteCount: byteCount)
  }

  /// A list of non-negative whole numbers.
  private func sizes(_ value: JSONValue?, _ field: String) throws(MixGRPOError) -> [Int] {
    guard let elements = value?.array else { throw failure(field, expected: "an array", got: value?.kind ?? "none") }
    var sizes: [Int] = []
    for element in elements {
      guard let size = element.integer, size >= 0 else {
        throw failure(field, expected: "whole numbers from 0", got: element.kind)
      }
      sizes.append(size)
    }
    return sizes
  }

  private func elementCount(of shape: [Int], _ name: String) throws(MixGRPOError) -> Int {
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      if overflow { throw failure("\(name): shape", expected: "a size in memory", got: "\(shape.prefix(8))") }
      count = product
    }
    return count
  }

  private func checkSpans() throws(MixGRPOError) {
    var end = dataStart
    for tensor in tensors {
      guard tensor.offset == end else {
        let begin = tensor.offset - dataStart
        throw failure("\(tensor.name): data_offsets", expected: "begin at \(end - dataStart)", got: begin)
      }
      end += tensor.byteCount
    }
    guard end == dataStart + dataBytes else {
      throw failure("data", expected: "\(end - dataStart) bytes as the header says", got: dataBytes)
    }
  }

  private func failure(_ field: String, expected: String, got: some Any) -> MixGRPOError {
    MixGRPOError(.invalidFormat, "\(path): \(excerpt(field, limit: 160)): expected \(expected), got \(got)")
  }
}
