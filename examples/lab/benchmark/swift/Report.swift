import ArgumentParser
import MixGRPO
import MixStorage

/// All measurements of this machine, each in its own process: printed as they come, then written to files.
struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Measures everything and writes bench-own.json and bench-own.md.")
  @Option(help: "Folder of bench-own.json and bench-own.md; it must exist.") var out = "out"
  @Option(help: "Which sizes of model, separated by commas.") var models = "S,between,M"
  @Option(help: "Timed runs of a measurement at most.") var repeats = 15
  @Option(help: "No new run of a measurement begins after so many seconds.") var seconds = 6.0
  @Option(help: "Threads; 0 for one per core.") var threads = 0
  @Flag(help: "Also measure how the time of an iteration grows with group size, steps, tokens, width and threads.")
  var growth = false
  @Flag(help: "One run of each measurement.") var quick = false

  func validate() throws {
    try checkThreads(threads)
    try checkSeconds(seconds)
    guard repeats > 0 else { throw ValidationError("--repeats: expected at least 1, got \(repeats)") }
    _ = try sizes()
  }

  func run() throws {
    guard Machine.canWrite(into: out) else {
      throw MixGRPOError(.inputOutput, "--out: expected a folder to write into, got \(out)")
    }
    if Machine.load > 0.5 { print("warning: the machine is busy (load \(fixed(Machine.load, 1))): times will not hold") }
    let peak = try peakAnswer()
    let threads = resolvedThreads(threads)
    print("\(Machine.processor), \(threads) threads, matrix product \(fixed(peak * 1e-9, 0)) GFLOP/s\n")
    var table = ResultTable(peak: peak)
    print(table.header)
    for size in try sizes() {
      for row in ReportRow.rows(of: size) {
        print(table.add(try measure(row, size)))
        flushOutput()
      }
      print(table.add(sweepOf: size, "mean over the sweep", from: ReportRow.sweep))
      print(table.add(sweepOf: size, "Flash, mean over l = 0…14", from: ReportRow.flash))
    }
    let growth = try growth ? GrowthStudy(run: measure).table() : nil
    if let growth { print("\n" + growth.markdown) }
    try write(table, growth, peak: peak, threads: threads)
  }

  private func sizes() throws -> [ModelSize] {
    try models.split(separator: ",").map { name in
      guard let size = ModelSize(rawValue: String(name)) else {
        throw ValidationError("--models: expected S, between or M, got \(name)")
      }
      return size
    }
  }

  private func peakAnswer() throws -> Double {
    let answer = try OwnProcess.run(["peak", "--threads", "\(threads)"])
    guard let peak = try JSONParser.parse(answer, source: "peak").object?["gflop_per_second"]?.double else {
      throw MixGRPOError(.invalidFormat, "peak: expected gflop_per_second, got \(answer)")
    }
    return peak * 1e9
  }

  private func measure(_ row: ReportRow, _ size: ModelSize) throws -> NamedMeasurement {
    NamedMeasurement(size: size, name: row.name, measurement: try measure([size.rawValue] + row.arguments))
  }

  /// One measurement in its own process. Its own `--threads` take precedence over the report's.
  private func measure(_ arguments: [String]) throws -> Measurement {
    let ownThreads = arguments.contains("--threads") ? [] : ["--threads", "\(threads)"]
    let runs = ["--repeats", "\(quick ? 1 : repeats)", "--seconds", "\(seconds)"]
    return try Measurement(parsing: OwnProcess.run(["measure"] + arguments + ownThreads + runs))
  }

  private func write(_ table: ResultTable, _ growth: GrowthTable?, peak: Double, threads: Int) throws {
    var json: JSONObject = [
      "processor": .string(Machine.processor), "threads": .integer(Int64(threads)),
      "sgemm_gflop_per_second": .number(peak * 1e-9), "measurements": table.json,
    ]
    if let growth { json["growth"] = growth.json }
    let title =
      "# Time and memory\n\n\(Machine.processor), \(threads) threads; the fastest single-precision matrix product on "
      + "them makes \(fixed(peak * 1e-9, 0)) GFLOP/s.\n\n"
    let text = title + table.markdown + (growth.map { "\n" + $0.markdown } ?? "")
    try AtomicFile.write(Array((JSONValue.object(json).text(.indented) + "\n").utf8), to: "\(out)/bench-own.json")
    try AtomicFile.write(Array(text.utf8), to: "\(out)/bench-own.md")
    print("\nwritten: \(out)/bench-own.json, \(out)/bench-own.md")
  }
}

/// What is measured of every model.
struct ReportRow {
  let name: String
  let arguments: [String]

  static let sweep = ["iteration, l = 0", "iteration, l = 10", "iteration, l = 20"]
  static let flash = ["Flash, l = 0", "Flash, l = 7", "Flash, l = 14"]

  /// Iterations that train an adapter, for comparison with the second of the sweep.
  private static let adapters = [
    ("LoRA 16, l = 10", []), ("LoRA 16, l = 10, bfloat16", ["--bfloat16"]),
    ("LoRA 16 on frozen, l = 10, bfloat16", ["--frozen", "--bfloat16"]),
  ].map { ReportRow(name: $0.0, arguments: ["iteration", "--window", "10", "--lora", "16"] + $0.1) }

  static func rows(of size: ModelSize) -> [ReportRow] {
    func iteration(_ name: String, _ window: Int, flash: Double = 0) -> ReportRow {
      ReportRow(name: name, arguments: ["iteration", "--window", "\(window)", "--flash", "\(flash)"])
    }
    return [
      ReportRow(name: "forward, 1 sample", arguments: ["forward", "--batch", "1"]),
      ReportRow(name: "forward, 12 samples", arguments: ["forward", "--batch", "12"]),
      ReportRow(name: "forward + backward, 12 samples", arguments: ["forward-backward", "--batch", "12"]),
      ReportRow(name: "rollout, l = 0", arguments: ["rollout", "--window", "0"]),
      iteration(sweep[0], 0), iteration(sweep[1], 10), iteration(sweep[2], 20),
      iteration(flash[0], 0, flash: 0.4), iteration(flash[1], 7, flash: 0.4), iteration(flash[2], 14, flash: 0.4),
      iteration("Flash*, l = 0", 0, flash: 0.2),
    ] + adapters
  }
}
