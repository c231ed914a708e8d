import ArgumentParser
import MixStorage

@main
struct Benchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures how fast rollout and update are on this machine, and what memory they take.",
    discussion: """
      Without a subcommand, every part of an iteration is measured for three sizes of model, each in its own process so \
      that memory peaks do not mix. Figures go to bench-own.json and bench-own.md in the output folder. Time is the median of \
      repeated runs; arithmetic is counted, not estimated, and compared with the fastest matrix product on as many threads.
      """,
    subcommands: [Report.self, Measure.self, Serve.self, Peak.self, Export.self], defaultSubcommand: Report.self)
}

/// One measurement, printed as one line of JSON.
struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Measures one part of one model; prints one line of JSON.")
  @OptionGroup var workload: Workload

  func run() throws {
    print(try PreparedWorkload(workload).measure(workload).json.text())
  }
}

/// Runs measurements on request, so that a driver can alternate with another program.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads arguments of measure, a line each, and answers with a line of JSON each, until its input ends.")

  func run() {
    var prepared: PreparedWorkload?
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      do {
        let workload = try Workload.parse(words)
        if prepared?.fits(workload) != true {
          prepared = nil
          PeakMemory.reset()
          prepared = try PreparedWorkload(workload)
        }
        if let prepared { answer(try prepared.measure(workload).json) }
      } catch {
        answer(["error": .string(Workload.message(for: error))])
      }
    }
  }

  private func answer(_ json: JSONValue) {
    print((try? json.text()) ?? "{\"error\":\"a figure that is not finite\"}")
    flushOutput()
  }
}

struct Peak: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the fastest single-precision matrix product; prints one line of JSON.")
  @Option(help: "Threads; 0 for one per core.") var threads = 0

  func validate() throws { try checkThreads(threads) }

  func run() throws {
    try ProductPeak.requireKernelsOfThisProcessor()
    let peak = try ProductPeak.measure(threads: resolvedThreads(threads))
    let json: JSONValue = ["gflop_per_second": .number(peak * 1e-9), "threads": .integer(Int64(resolvedThreads(threads)))]
    print(try json.text())
  }
}
