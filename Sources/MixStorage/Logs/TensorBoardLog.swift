import Glibc
import MixBasics

/// Curves and images of a run for TensorBoard: an event file to which whole records are appended.
///
///     let log = try TensorBoardLog(folder: "run")
///     try log.append(scalars: [("reward/mean", 0.4)], step: 0)
///
/// View them with `tensorboard --logdir run`. Safe to use from several threads at once.
public final class TensorBoardLog: Sendable {
  /// The event file.
  public let path: String
  private let file: OpenFile
  /// Held while a record is written, so that a removed tail never belongs to another thread.
  private let turn = Guarded(())

  /// Creates a new event file in `folder`, which is created when it is missing.
  /// - Parameters:
  ///   - folder: any name; TensorBoard shows it as the name of the run.
  ///   - step: the step at which a resumed run continues; TensorBoard then discards the points of earlier files in the folder
  ///     from this step on.
  /// - Throws: `invalidArgument` for a negative step; `inputOutput` naming the path.
  public init(folder: String, continuedFrom step: Int? = nil) throws(MixGRPOError) {
    try require((step ?? 0) >= 0, "step", expected: "0 or more", got: step ?? 0)
    try FileAccess.createFolder(folder)
    file = try Self.create(in: folder)
    path = file.path
    try write(.fileVersion(wallTime: wallTime()))
    if let step { try write(.sessionStart(step: Int64(step), wallTime: wallTime())) }
  }

  /// Appends one point of each curve. Values that are not finite are skipped.
  /// - Parameters:
  ///   - scalars: tags such as "reward/mean"; the part before the slash groups the curves.
  ///   - step: the curve's abscissa, 0 or more.
  /// - Throws: `inputOutput` naming the path; a partly written record is removed again.
  public func append(scalars: [(tag: String, value: Double)], step: Int) throws(MixGRPOError) {
    let finite = scalars.filter { Float($0.value).isFinite }.map { (tag: $0.tag, value: Float($0.value)) }
    if !finite.isEmpty { try write(.scalars(finite, step: Int64(step), wallTime: wallTime())) }
  }

  /// Appends an image.
  /// - Throws: the errors of `PNG.encode`; `inputOutput` naming the path.
  public func append(_ image: RGBImage, tag: String, step: Int) throws(MixGRPOError) {
    let png = try PNG.encode(image)
    try write(
      .image(tag, width: image.width, height: image.height, png: png, step: Int64(step), wallTime: wallTime()))
  }

  // MARK: - The file

  private static let prefix = "events.out.tfevents."
  private static let digits = 10

  /// TensorBoard reads files whose name contains "tfevents", in the order of their names. If the clock was set back, the new file
  /// takes the second after that of the latest file, so that it still comes last.
  private static func create(in folder: String) throws(MixGRPOError) -> OpenFile {
    let latest = try FileAccess.names(in: folder).compactMap(seconds).max() ?? 0
    let now = max(Int(time(nil)), latest + 1)
    let text = "\(now)"
    let padded = String(repeating: "0", count: max(0, digits - text.count)) + text
    for attempt in 0..<10_000 {
      let path = FileAccess.join(folder, "\(prefix)\(padded).mixgrpo.\(getpid()).\(attempt)")
      if try FileAccess.isPresent(path) { continue }
      return try OpenFile(path, flags: O_RDWR | O_APPEND | O_CREAT | O_EXCL, wanted: "a place for an event file")
    }
    throw MixGRPOError(.inputOutput, "\(printable(folder)): expected a free name for an event file, got none")
  }

  /// The second in the name of an event file.
  private static func seconds(_ name: String) -> Int? {
    guard name.hasPrefix(prefix) else { return nil }
    let digits = name.dropFirst(prefix.count).prefix { $0 != "." }
    return digits.utf8.count == Self.digits ? Int(digits) : nil
  }

  private func write(_ record: EventRecord) throws(MixGRPOError) {
    let bytes = record.framed
    try turn.withLock { (_) throws(MixGRPOError) in try writeInTurn(bytes) }
  }

  private func writeInTurn(_ record: [UInt8]) throws(MixGRPOError) {
    let end = try file.byteCount()
    let count = try file.writePiece(record)
    if count == record.count { return }
    if count > 0 { try file.truncate(to: end) }
    throw FileAccess.failure(path, expected: "room for \(record.count) bytes", code: ENOSPC)
  }
}

/// Seconds since 1970.
private func wallTime() -> Double {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
}
