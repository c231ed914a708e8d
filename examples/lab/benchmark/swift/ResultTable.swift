import MixGRPO
import MixStorage

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

struct NamedMeasurement {
  let size: ModelSize
  let name: String
  let measurement: Measurement
}

/// The report's main table, line by line as the measurements come.
struct ResultTable {
  /// Floating-point operations per second of the fastest matrix product.
  let peak: Double
  private(set) var lines: [String] = []
  private var measured: [NamedMeasurement] = []
  private var objects: [JSONValue] = []

  init(peak: Double) { self.peak = peak }

  let header = """
    | model | part | time | GFLOP | GFLOP/s | of the peak | memory |
    |---|---|--:|--:|--:|--:|--:|
    """

  /// Adds a measurement; an iteration also adds a row for its update.
  mutating func add(_ found: NamedMeasurement) -> String {
    let m = found.measurement
    measured.append(found)
    append(found, m.seconds, m.operations, peakBytes: m.peakBytes)
    var added = 1
    if found.name == ReportRow.sweep[0] {
      append(
        NamedMeasurement(size: found.size, name: "update", measurement: m), m.secondsUpdate, m.operationsUpdate,
        peakBytes: m.peakBytes)
      added = 2
    }
    return lines.suffix(added).joined(separator: "\n")
  }

  /// Adds the mean of iterations already measured.
  mutating func add(sweepOf size: ModelSize, _ name: String, from names: [String]) -> String {
    let parts = measured.filter { $0.size == size && names.contains($0.name) }.map(\.measurement)
    let count = Double(max(parts.count, 1))
    let line = row(
      size, name, parts.reduce(0) { $0 + $1.seconds } / count, parts.reduce(0) { $0 + $1.operations } / count,
      peakBytes: parts.map(\.peakBytes).max() ?? 0)
    return line
  }

  private mutating func append(_ found: NamedMeasurement, _ seconds: Double, _ operations: Double, peakBytes: Int) {
    _ = row(found.size, found.name, seconds, operations, peakBytes: peakBytes)
  }

  private mutating func row(
    _ size: ModelSize, _ name: String, _ seconds: Double, _ operations: Double, peakBytes: Int
  ) -> String {
    let rate = operations / seconds
    let line =
      "| \(size.rawValue) | \(name) | \(duration(seconds)) | \(fixed(operations * 1e-9, operations < 1e11 ? 1 : 0)) | "
      + "\(fixed(rate * 1e-9, 0)) | \(fixed(100 * rate / peak, 0)) % | \(fixed(Double(peakBytes) / 1_048_576, 0)) MiB |"
    lines.append(line)
    objects.append([
      "model": .string(size.rawValue), "part": .string(name), "seconds": .measurement(seconds),
      "gflop": .measurement(operations * 1e-9), "gflop_per_second": .measurement(rate * 1e-9),
      "share_of_peak": .measurement(rate / peak), "peak_bytes": .integer(Int64(peakBytes)),
    ])
    return line
  }

  var json: JSONValue { .array(objects) }

  var markdown: String {
    header + "\n" + lines.joined(separator: "\n") + """


      Times are medians. An iteration is one rollout of a group of 12 in 25 steps with 4 of them stochastic from step l on, and \
      an update in 4 optimizer steps. Its time is linear in l, as each further shared step replaces 12 evaluations by one: so \
      the mean over the sweep l = 0…20 is the mean of the three. GFLOP are the multiplications and additions of the matrix \
      products that are needed once latents that members share are evaluated once; memory is the most that the process held.

      """
  }
}

/// A number with a fixed number of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
  withVaList([Int32(decimals), value]) { values in
    var text = [CChar](repeating: 0, count: 400)
    vsnprintf(&text, text.count, "%.*f", values)
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// A time with three digits, in ms or s.
func duration(_ seconds: Double) -> String {
  let (value, unit) = seconds < 1 ? (seconds * 1_000, "ms") : (seconds, "s")
  return "\(fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)) \(unit)"
}
