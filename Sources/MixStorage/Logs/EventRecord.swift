/// One event of a TensorBoard event file, with the used fields of the messages `Event`, `Summary` and `SessionLog`.
struct EventRecord {
  private var event = ProtocolBuffer()

  /// - Parameter wallTime: seconds since 1970.
  private init(wallTime: Double, step: Int64) {
    event.add(1, wallTime)
    if step != 0 { event.add(2, step) }
  }

  /// The first event of every event file.
  static func fileVersion(wallTime: Double) -> EventRecord {
    var record = EventRecord(wallTime: wallTime, step: 0)
    record.event.add(3, "brain.Event:2")
    return record
  }

  /// Makes readers discard the events of earlier files for `step` and later steps.
  static func sessionStart(step: Int64, wallTime: Double) -> EventRecord {
    let start: Int64 = 1
    var log = ProtocolBuffer()
    log.add(1, start)
    var record = EventRecord(wallTime: wallTime, step: step)
    record.event.add(7, log)
    return record
  }

  static func scalars(_ values: [(tag: String, value: Float)], step: Int64, wallTime: Double) -> EventRecord {
    summary(
      step: step, wallTime: wallTime,
      values: values.map { scalar in
        var value = ProtocolBuffer()
        value.add(1, scalar.tag)
        value.add(2, scalar.value)
        return value
      })
  }

  /// - Parameter png: the encoded image.
  static func image(_ tag: String, width: Int, height: Int, png: [UInt8], step: Int64, wallTime: Double) -> EventRecord {
    let rgb: Int64 = 3
    var image = ProtocolBuffer()
    image.add(1, Int64(height))
    image.add(2, Int64(width))
    image.add(3, rgb)
    image.add(4, png)
    var value = ProtocolBuffer()
    value.add(1, tag)
    value.add(4, image)
    return summary(step: step, wallTime: wallTime, values: [value])
  }

  private static func summary(step: Int64, wallTime: Double, values: [ProtocolBuffer]) -> EventRecord {
    var summary = ProtocolBuffer()
    for value in values { summary.add(1, value) }
    var record = EventRecord(wallTime: wallTime, step: step)
    record.event.add(5, summary)
    return record
  }

  /// The event as a record of its file: length, checksum of the length, data, checksum of the data.
  var framed: [UInt8] {
    let length = littleEndian(UInt64(event.bytes.count))
    return length + littleEndian(CRC32C.masked(length)) + event.bytes + littleEndian(CRC32C.masked(event.bytes))
  }
}
