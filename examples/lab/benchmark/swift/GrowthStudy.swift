import MixGRPO
import MixStorage

/// How the time of one iteration grows when one size grows and all others stay.
struct GrowthStudy {
  /// Measures one workload, given the arguments of `measure`.
  let run: ([String]) throws -> Measurement

  /// One size with its values. The model's own value is among them and is the baseline.
  private struct Axis {
    let name: String
    let option: String
    let values: [Int]
    let base: Int
    /// What is printed for a value.
    var shown: (Int) -> Int = { $0 }
  }

  private var axes: [Axis] {
    let shape = ModelSize.small.shape
    let threads = Array(Set([1, 2, 4, 8, 16, Machine.cores].filter { $0 <= Machine.cores })).sorted()
    return [
      Axis(name: "samples per prompt, G", option: "--group", values: [6, 12, 24, 48], base: 12),
      Axis(name: "steps, T", option: "--steps", values: [13, 25, 50], base: 25),
      Axis(name: "image tokens, N", option: "--side", values: [4, 8, 16], base: shape.side, shown: { $0 * $0 }),
      Axis(
        name: "width, d", option: "--heads", values: [2, 4, 8, 16], base: shape.heads, shown: { $0 * shape.headDim }),
      Axis(name: "threads", option: "--threads", values: threads, base: 1),
    ]
  }

  func table() throws -> GrowthTable {
    var table = GrowthTable()
    for axis in axes {
      let found = try axis.values.map { value in
        (value, try run([ModelSize.small.rawValue, "iteration", axis.option, "\(value)"]))
      }
      guard let base = found.first(where: { $0.0 == axis.base })?.1 else { continue }
      for (value, measurement) in found { table.add(axis.name, axis.shown(value), measurement, base: base) }
    }
    return table
  }
}

struct GrowthTable {
  private var lines: [String] = []
  private var objects: [JSONValue] = []

  mutating func add(_ name: String, _ value: Int, _ found: Measurement, base: Measurement) {
    let (time, work) = (found.seconds / base.seconds, found.operations / base.operations)
    lines.append(
      "| \(name) | \(value) | \(duration(found.seconds)) | \(fixed(time, 2)) | \(fixed(work, 2)) | "
        + "\(fixed(found.operations / found.seconds * 1e-9, 0)) | \(fixed(Double(found.peakBytes) / 1_048_576, 0)) MiB |")
    objects.append([
      "size": .string(name), "value": .integer(Int64(value)), "seconds": .measurement(found.seconds),
      "times": .measurement(time), "arithmetic_times": .measurement(work), "peak_bytes": .integer(Int64(found.peakBytes)),
    ])
  }

  var json: JSONValue { .array(objects) }

  var markdown: String {
    """
    One iteration of model S when one size changes: its time, and time and arithmetic against the model's own size (against one \
    thread).

    | size | value | time | times | arithmetic | GFLOP/s | memory |
    |---|--:|--:|--:|--:|--:|--:|

    """ + lines.joined(separator: "\n") + "\n"
  }
}
