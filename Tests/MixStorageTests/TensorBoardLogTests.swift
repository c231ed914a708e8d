import Testing

@testable import MixStorage

@Suite struct TensorBoardLogTests {
  private let folder = TemporaryFolder()

  /// The vectors of RFC 3720 §B.4 and the check value of the checksum's catalogue.
  @Test func checksumIsCastagnolis() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(0..<32) == 0x46DD_794E)
    #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
  }

  /// A record that TensorBoard's own writer begins every file with, at time 0.
  @Test func firstRecordIsTensorBoardsOwn() {
    let data: [UInt8] = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0x1A, 13] + Array("brain.Event:2".utf8)
    let record = EventRecord.fileVersion(wallTime: 0).framed
    #expect(Array(record[12..<record.count - 4]) == data)
    #expect(Array(record[..<8]) == [24, 0, 0, 0, 0, 0, 0, 0])
    #expect(Array(record[8..<12]) == littleEndian(UInt32(0x224B_7FA3)))
  }

  @Test func aLaterLogSortsLaterThoughTheClockWasSetBack() throws {
    try folder.write("", to: "events.out.tfevents.4000000000.host.1.0")
    let log = try TensorBoardLog(folder: folder.path)
    #expect(log.path.hasSuffix("/" + (folder.names.last ?? "")))
  }

  @Test func scalarsAndPicturesComeBack() throws {
    let image = try RGBImage(width: 3, height: 2, pixels: (0..<18).map { UInt8($0) })
    let log = try TensorBoardLog(folder: folder.file("run"), continuedFrom: 300)
    try log.append(scalars: [("reward/mean", 0.25), ("loss", -.infinity), ("loss/clip", -2)], step: 300)
    try log.append(image, tag: "samples", step: 301)
    try log.append(scalars: [("nothing", .nan)], step: 302)

    let events = try DecodedEvent.read(log.path)
    #expect(events.map(\.step) == [0, 300, 300, 301])
    #expect(events[0].version == "brain.Event:2")
    #expect(events[1].startsSession)
    #expect(events[2].scalars.map(\.tag) == ["reward/mean", "loss/clip"])
    #expect(events[2].scalars.map(\.value) == [0.25, -2])
    #expect(try events[3].images.map { try PNG.decode($0.png) } == [image])
    #expect(events.allSatisfy { $0.wallTime > 1.7e9 })
  }

  @Test func everyLogHasAFileOfItsOwn() throws {
    let first = try TensorBoardLog(folder: folder.path)
    let second = try TensorBoardLog(folder: folder.path)
    #expect(first.path != second.path)
    #expect(folder.names.count == 2)
    #expect(folder.names.allSatisfy { $0.contains("tfevents") })
  }

  @Test func aFolderThatCannotBeIsNamed() throws {
    try folder.write("", to: "file")
    let error = libraryError { _ = try TensorBoardLog(folder: folder.file("file/run")) }
    #expect(error?.code == .inputOutput)
    #expect(error?.message.contains("file") == true)
    #expect(libraryError { _ = try TensorBoardLog(folder: folder.path, continuedFrom: -1) }?.code == .invalidArgument)
  }
}

/// An event as an independent reader sees it.
private struct DecodedEvent {
  var wallTime = 0.0
  var step: Int64 = 0
  var version = ""
  var startsSession = false
  var scalars: [(tag: String, value: Float)] = []
  var images: [(tag: String, png: [UInt8])] = []

  static func read(_ path: String) throws -> [DecodedEvent] {
    var rest = try content(of: path)[...]
    var events: [DecodedEvent] = []
    while !rest.isEmpty {
      let head = Array(rest.prefix(8))
      let length = head.reversed().reduce(0) { $0 << 8 | Int($1) }
      let data = Array(rest.dropFirst(12).prefix(length))
      #expect(Array(rest.dropFirst(8).prefix(4)) == littleEndian(CRC32C.masked(head)))
      #expect(Array(rest.dropFirst(12 + length).prefix(4)) == littleEndian(CRC32C.masked(data)))
      events.append(DecodedEvent(data))
      rest = rest.dropFirst(16 + length)
    }
    return events
  }

  private init(_ data: [UInt8]) {
    for field in DecodedField.fields(of: data) {
      switch field.number {
      case 1: wallTime = Double(bitPattern: field.integer)
      case 2: step = Int64(bitPattern: field.integer)
      case 3: version = field.text
      case 5: for value in DecodedField.fields(of: field.bytes) { addValue(DecodedField.fields(of: value.bytes)) }
      case 7: startsSession = DecodedField.fields(of: field.bytes).first?.integer == 1
      default: Issue.record("field \(field.number)")
      }
    }
  }

  private mutating func addValue(_ fields: [DecodedField]) {
    let tag = fields.first { $0.number == 1 }.map(\.text) ?? ""
    for field in fields where field.number == 2 {
      scalars.append((tag, Float(bitPattern: UInt32(truncatingIfNeeded: field.integer))))
    }
    for field in fields where field.number == 4 {
      let png = DecodedField.fields(of: field.bytes).first { $0.number == 4 }
      images.append((tag, png?.bytes ?? []))
    }
  }
}

private struct DecodedField {
  var number: UInt64 = 0
  var integer: UInt64 = 0
  var bytes: [UInt8] = []
  var text: String { String(decoding: bytes, as: UTF8.self) }

  static func fields(of message: [UInt8]) -> [DecodedField] {
    var rest = message[...]
    var fields: [DecodedField] = []
    while !rest.isEmpty {
      let key = varint(&rest)
      var field = DecodedField(number: key >> 3)
      switch key & 7 {
      case 0: field.integer = varint(&rest)
      case 1: field.integer = fixed(&rest, 8)
      case 5: field.integer = fixed(&rest, 4)
      default:
        let length = Int(varint(&rest))
        field.bytes = Array(rest.prefix(length))
        rest = rest.dropFirst(length)
      }
      fields.append(field)
    }
    return fields
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = rest.popFirst() {
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 { break }
    }
    return value
  }

  private static func fixed(_ rest: inout ArraySlice<UInt8>, _ count: Int) -> UInt64 {
    let value = rest.prefix(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    rest = rest.dropFirst(count)
    return value
  }
}
