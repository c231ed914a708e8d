import MixBasics
import Testing

@testable import MixStorage

@Suite struct ChecksumTests {
  private let folder = TemporaryFolder()

  /// The algorithm's published values, and those of longer inputs from its reference program.
  @Test(arguments: [
    ("", 0xEF46_DB37_51D8_E999 as UInt64), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
    ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
  ])
  func hashesAreThoseOfXXH64(text: String, hash: UInt64) {
    var whole = XXHash64()
    Array(text.utf8).withUnsafeBytes { whole.update($0) }
    #expect(whole.digest == hash)
  }

  @Test func aHashDoesNotDependOnThePiecesItIsGiven() {
    let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
    var whole = XXHash64()
    bytes.withUnsafeBytes { whole.update($0) }
    for size in [1, 7, 31, 32, 33, 999] {
      var pieces = XXHash64()
      for start in stride(from: 0, to: bytes.count, by: size) {
        bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { pieces.update($0) }
      }
      #expect(pieces.digest == whole.digest, "pieces of \(size)")
    }
  }

  private func checkedFile() throws -> String {
    let path = folder.file("weights.safetensors")
    let values: [Float] = [1, -2, 3.5]
    try values.withUnsafeBufferPointer { values in
      try SafetensorsWriter.write(
        [WeightEntry(name: "w", shape: [3], values: values)], precision: .float32, checksum: true, to: path)
    }
    return path
  }

  @Test func everyChangedByteIsFound() throws {
    let path = try checkedFile()
    try SafetensorsFile(path: path).verifyChecksum()
    let bytes = try content(of: path)
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1 << UInt8(index % 8)
      try folder.write(changed, to: "changed")
      let error = libraryError { try SafetensorsFile(path: folder.file("changed")).verifyChecksum() }
      #expect(error?.code == .invalidFormat, "byte \(index)")
    }
    for count in bytes.indices {
      try folder.write(Array(bytes[..<count]), to: "changed")
      #expect(libraryError { try SafetensorsFile(path: folder.file("changed")).verifyChecksum() }?.code == .invalidFormat)
    }
  }

  @Test func aFileWithoutAChecksumIsNotTakenForAWholeOne() throws {
    let path = folder.file("plain.safetensors")
    try SafetensorsWriter.write([], precision: .float32, to: path)
    let error = libraryError { try SafetensorsFile(path: path).verifyChecksum() }
    #expect(error?.message == "\(path): checksum: expected one of all content at the end of the file, got none")
  }
}
