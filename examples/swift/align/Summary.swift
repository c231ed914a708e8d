import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The result of a run.
struct Summary {
  let before: Evaluation
  let after: Evaluation
  /// Latents evaluated in training.
  let modelCalls: Int
  let seconds: Double

  /// Writes `summary.json` and prints a short table.
  func report() throws {
    try write(json, to: "summary.json")
    print("\n                          before   after  change")
    printRow("night taste (trained)   ", before.taste, after.taste)
    printRow("prompt match (held out) ", before.match, after.match)
    print(formatted("%ld model calls in training, %.0f seconds in all", modelCalls, seconds))
  }

  private var json: String {
    formatted(
      "{\"reward_before\": %.17g, \"reward_after\": %.17g, \"heldout_before\": %.17g, \"heldout_after\": %.17g, "
        + "\"model_calls\": %ld, \"seconds\": %.1f}\n",
      before.taste, after.taste, before.match, after.match, modelCalls, seconds)
  }

  private func printRow(_ name: String, _ before: Double, _ after: Double) {
    print(name + formatted("%8.3f%8.3f%+8.3f", before, after, after - before))
  }

  private func write(_ text: String, to path: String) throws {
    let file = fopen(path, "w")
    guard let file, fputs(text, file) >= 0, fclose(file) == 0 else {
      throw MixGRPOError(.inputOutput, "\(path): expected a file to write, got \(String(cString: strerror(errno)))")
    }
  }
}

/// Numbers as C's `printf` writes them, cut to 1000 characters.
func formatted(_ format: String, _ values: any CVarArg...) -> String {
  withVaList(values) { values in
    var text = [CChar](repeating: 0, count: 1001)
    vsnprintf(&text, text.count, format, values)
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
