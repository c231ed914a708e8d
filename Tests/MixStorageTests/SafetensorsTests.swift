import MixBasics
import Testing

@testable import MixStorage

@Suite struct SafetensorsReadingTests {
  private func read(_ file: SafetensorsFile, _ name: String, _ shape: [Int]) throws -> [Float] {
    var values = [Float](repeating: -7, count: shape.reduce(1, *))
    try values.withUnsafeMutableBufferPointer { try file.read(name, expectedShape: shape, into: $0) }
    return values
  }

  @Test func aFileOfPyTorchIsReadInEachPrecision() throws {
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    #expect(file.metadata == ["format": "pt", "note": "grün"])
    #expect(Set(file.tensors.map(\.name)) == ["single", "half", "brain", "scalar", "empty", "counts"])
    #expect(file.tensor(named: "half")?.shape == [2, 2, 2])
    #expect(file.tensor(named: "brain")?.type == .bfloat16)
    #expect(try read(file, "single", [2, 3]) == sixths(6))
    #expect(try read(file, "scalar", []) == [2.5])
    #expect(try read(file, "empty", [0, 4]) == [])
    let wantedBrain: [Float] = [-0.5, -0.333984375, -0.1669921875, 0, 0.1669921875]
    #expect(try read(file, "brain", [5]) == wantedBrain)
    let wantedHalf: [Float] = [-0.5, -0.333251953125, -0.1666259765625, 0, 0.1666259765625, 0.333251953125, 0.5, 0.66650390625]
    #expect(try read(file, "half", [2, 2, 2]) == wantedHalf)
  }

  @Test func anUnreadableTypeAWrongShapeAndAMissingTensorAreReported() throws {
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    let type = libraryError { _ = try read(file, "counts", [3]) }
    #expect(type?.code == .unsupported && type?.message.hasSuffix("counts: expected F32, F16 or BF16, got I64") == true)
    let shape = libraryError { _ = try read(file, "single", [3, 2]) }
    #expect(shape?.code == .invalidFormat && shape?.message.hasSuffix("single: expected shape [3, 2], got [2, 3]") == true)
    let missing = libraryError { _ = try read(file, "double", [1]) }
    #expect(missing?.code == .invalidFormat && missing?.message.hasSuffix("double: expected this tensor, got none") == true)
    var tooSmall = [Float](repeating: 0, count: 5)
    let room = libraryError {
      try tooSmall.withUnsafeMutableBufferPointer { try file.read("single", expectedShape: [2, 3], into: $0) }
    }
    #expect(room?.code == .invalidArgument)
  }

  @Test func tensorsLargerThanOnePieceAreReadWhole() throws {
    let folder = TemporaryFolder()
    let values = (0..<300_001).map { Float($0 % 256) - 128 }
    for precision in WeightPrecision.allCases {
      try values.withUnsafeBufferPointer {
        let entry = WeightEntry(name: "w", shape: [values.count], values: $0)
        try SafetensorsWriter.write([entry], precision: precision, to: folder.file("w.safetensors"))
      }
      #expect(try read(try SafetensorsFile(path: folder.file("w.safetensors")), "w", [values.count]) == values)
    }
  }

  @Test func aFileThatShrinksWhileOpenIsAnErrorAndNotACrash() throws {
    let folder = TemporaryFolder()
    let bytes = try content(of: fixture("float32.safetensors"))
    let path = try folder.write(bytes, to: "a")
    let file = try SafetensorsFile(path: path)
    #expect(truncateFile(path, to: bytes.count - 30))
    #expect(libraryError { _ = try read(file, "b.bias", [5]) }?.code == .inputOutput)
  }
}

@Suite struct SafetensorsRefusalTests {
  private let folder = TemporaryFolder()

  private func error(header: String, data: Int, length: UInt64? = nil) throws -> MixGRPOError? {
    let length = length ?? UInt64(header.utf8.count)
    let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    return try error(prefix + Array(header.utf8) + [UInt8](repeating: 0, count: data))
  }

  private func error(_ bytes: [UInt8]) throws -> MixGRPOError? {
    let path = try folder.write(bytes, to: "file")
    return libraryError { _ = try SafetensorsFile(path: path) }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = try content(of: fixture("mixed.safetensors"))
    for count in 0..<bytes.count { #expect(try error(Array(bytes[..<count]))?.code == .invalidFormat) }
    #expect(try error(bytes) == nil)
    #expect(try error(bytes + [0])?.code == .invalidFormat)
  }

  @Test func noChangedByteOfTheHeaderCrashes() throws {
    let bytes = try content(of: fixture("float32.safetensors"))
    for index in 0..<168 {
      for change: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= change
        let code = try error(changed)?.code
        #expect(code == nil || code == .invalidFormat)
      }
    }
  }

  @Test(arguments: [0, 1, 17, 100_000_001, 1 << 40, UInt64.max, 1 << 63])
  func aWrongHeaderLengthIsRefused(length: UInt64) throws {
    #expect(try error(header: "{}", data: 8, length: length)?.code == .invalidFormat)
  }

  @Test(arguments: [
    (#"[]"#, 0), (#" {}"#, 0), (#"{}"#, 4), (#"{"a":1}"#, 0), (#"{"a":{}}"#, 0), (#"{"__metadata__":{"a":1}}"#, 0),
    (#"{"__metadata__":[]}"#, 0),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4),
    (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551620]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#, 0),
    (#"{"a":{"dtype":"F32","shape":[3037000500,3037000500,0],"data_offsets":[0,0]}}"#, 0),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 12),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#, 12),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
  ])
  func aWrongHeaderIsRefused(header: String, data: Int) throws {
    #expect(try error(header: header, data: data)?.code == .invalidFormat)
  }

  @Test func nestedBombsInTheHeaderAreRefused() throws {
    #expect(try error(header: #"{"a":"# + String(repeating: "[", count: 1_000_000), data: 0)?.code == .invalidFormat)
  }

  @Test func emptyFilesWithoutTensorsAreFine() throws {
    #expect(try error(header: "{}", data: 0) == nil)
  }

  @Test func messagesAreOneLineWhateverTheName() throws {
    let header =
      #"{"a\nb\u001b[31m"# + String(repeating: "x", count: 5000) + #"":{"dtype":"F32","shape":[1],"data_offsets":[0,0]}}"#
    let message = try #require(try error(header: header, data: 0)).message
    #expect(!message.contains("\n") && !message.contains("\u{1b}") && message.utf8.count < 400)
  }

  @Test func aFolderOrAMissingFileIsAnInputOutputError() {
    let missing = libraryError { _ = try SafetensorsFile(path: folder.file("none")) }
    #expect(missing?.code == .inputOutput && missing?.message.contains(folder.file("none")) == true)
    #expect(libraryError { _ = try SafetensorsFile(path: folder.path) }?.code == .inputOutput)
    #expect(libraryError { _ = try SafetensorsFile(path: "/dev/zero") }?.code == .inputOutput)
    #expect(libraryError { _ = try SafetensorsFile(path: "") }?.code == .invalidArgument)
    #expect(libraryError { _ = try SafetensorsFile(path: fixture("mixed.safetensors") + "\0") }?.code == .invalidArgument)
  }
}

@Suite struct SafetensorsWritingTests {
  private let folder = TemporaryFolder()

  private func write(
    _ tensors: [(String, [Int], [Float])], _ precision: WeightPrecision, to path: String
  ) throws {
    var storage: [UnsafeMutableBufferPointer<Float>] = []
    defer { for buffer in storage { buffer.deallocate() } }
    let entries = tensors.map { name, shape, values in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
      _ = buffer.initialize(from: values)
      storage.append(buffer)
      return WeightEntry(name: name, shape: shape, values: UnsafeBufferPointer(buffer))
    }
    try SafetensorsWriter.write(entries, precision: precision, to: path)
  }

  @Test(arguments: [(WeightPrecision.float32, "float32"), (.bfloat16, "bfloat16")])
  func filesAreByteForByteWhatTheReferenceWrites(precision: WeightPrecision, name: String) throws {
    let path = folder.file("a.safetensors")
    try write([("a.weight", [2, 3], sixths(6)), ("b.bias", [5], sixths(5))], precision, to: path)
    #expect(try content(of: path) == content(of: fixture("\(name).safetensors")))
  }

  @Test func dataBeginAtAMultipleOfEight() throws {
    for length in 1...9 {
      let path = folder.file("a.safetensors")
      try write([(String(repeating: "n", count: length), [1], [1])], .float32, to: path)
      #expect((try content(of: path).count - 4) % 8 == 0)
      #expect(try SafetensorsFile(path: path).tensors.count == 1)
    }
  }

  @Test func tensorsThatCannotBeStoredLeaveTheOldFile() throws {
    let path = try folder.write("old", to: "a.safetensors")
    let unfit: [[(String, [Int], [Float])]] = [
      [("a", [2], [1])], [("a", [-1, -1], [1])], [("a", [Int.max, 2], [1])], [("a", [1], [1]), ("a", [1], [1])],
      [("__metadata__", [1], [1])],
    ]
    for tensors in unfit {
      #expect(libraryError { try write(tensors, .float32, to: path) }?.code == .invalidArgument)
    }
    #expect(try text(of: path) == "old")
    #expect(folder.names == ["a.safetensors"])
  }
}
