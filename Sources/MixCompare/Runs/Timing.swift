import Dispatch
import MixStorage
import ProceduralWorld

/// The time per iteration of each arm. Measured separately from the reward runs, so that it can be done on an idle machine.
struct Timing: Equatable, Sendable {
  struct Entry: Equatable, Sendable {
    let arm: String
    /// Everything that the time depends on except the machine, as text.
    let settings: String
    /// Seconds per iteration with every picture evaluated at every step, as the papers count.
    let seconds: Double
    /// Seconds per iteration with the shared latents of a group evaluated once.
    let secondsShared: Double
  }

  let processor: String
  let threads: Int
  /// Load of the machine when the measurement started.
  let load: Double
  let turns: Int
  let entries: [Entry]

  func entry(_ arm: String) -> Entry? { entries.first { $0.arm == arm } }

  /// Only the measurements that match the current settings of these arms; nil when there are none.
  func still(valid arms: [Arm], _ size: ComparisonSize) -> Timing? {
    let settings = arms.map { Self.settings($0, size) }
    let kept = entries.filter { settings.contains($0.settings) }
    return kept.isEmpty
      ? nil : Timing(processor: processor, threads: threads, load: load, turns: turns, entries: kept)
  }

  fileprivate static func settings(_ arm: Arm, _ size: ComparisonSize) -> String {
    "\(arm.name): \(arm.settings); \(counted(size.iterations, "iteration")) of \(counted(size.prompts, "prompt"))"
  }
}

// MARK: - Measurement

extension Timing {
  /// Arms are measured in turns, so that temporary load affects all of them; each figure is the median over the turns.
  ///
  /// A moving window is measured at its first, middle and last position, and the medians are averaged: without a shortened tail
  /// the time is linear in the position.
  static func measure(
    _ arms: [Arm], stage: Stage, turns: Int, context: RunContext, report: (String) -> Void
  ) throws(MixGRPOError) -> Timing {
    let load = Machine.load
    var evaluators: [EvaluatorChoice: FlowEvaluator] = [:]
    func evaluator(_ choice: EvaluatorChoice) throws(MixGRPOError) -> FlowEvaluator {
      if let known = evaluators[choice] { return known }
      let evaluator = try stage.evaluator(context, choice)
      evaluators[choice] = evaluator
      return evaluator
    }
    var stands: [Measurement] = []
    for arm in arms {
      let evaluator = try evaluator(arm.evaluator)
      for isShared in [false, true] { stands.append(try Measurement(arm, isShared: isShared, stage, evaluator, context)) }
    }
    for turn in 1...max(turns, 1) {
      for index in stands.indices { try stands[index].measure(stage) }
      report("timing: turn \(turn) of \(turns)")
    }
    let entries = stride(from: 0, to: stands.count, by: 2).map {
      Entry(
        arm: stands[$0].name, settings: settings(arms[$0 / 2], stage.size), seconds: stands[$0].seconds,
        secondsShared: stands[$0 + 1].seconds)
    }
    return Timing(
      processor: Machine.processor, threads: context.threads, load: load, turns: turns, entries: entries)
  }

  /// The measurements of one arm, with or without sharing.
  private struct Measurement {
    let name: String
    private let trainer: Trainer
    private let windows: [SDEWindow?]
    private var laps: [[Double]]  // (windows, turns)

    init(
      _ arm: Arm, isShared: Bool, _ stage: Stage, _ evaluator: FlowEvaluator, _ context: RunContext
    ) throws(MixGRPOError) {
      name = arm.name
      var arm = arm
      arm.sampling.exactSharing = isShared
      trainer = try stage.trainer(arm, seed: 1, evaluator: evaluator, context: context)
      windows = try Self.windows(of: arm, stage.size)
      laps = windows.map { _ in [] }
    }

    private static func windows(of arm: Arm, _ size: ComparisonSize) throws(MixGRPOError) -> [SDEWindow?] {
      let schedule = try arm.sampling.windowSchedule()
      var starts: Set<Int> = []
      for iteration in 0..<size.iterations { starts.insert(try schedule.forecast(iteration: iteration).start) }
      let visited = starts.sorted()
      guard visited.count > 1, let first = visited.first, let last = visited.last else { return [nil] }
      return Set([first, visited[visited.count / 2], last]).sorted().map { SDEWindow(start: $0, length: schedule.length) }
    }

    mutating func measure(_ stage: Stage) throws(MixGRPOError) {
      for (index, window) in windows.enumerated() {
        trainer.window = window
        let started = DispatchTime.now()
        _ = try stage.step(trainer, seed: 1)
        laps[index].append(Double(DispatchTime.now().uptimeNanoseconds - started.uptimeNanoseconds) * 1e-9)
      }
    }

    var seconds: Double { laps.map(median).reduce(0, +) / Double(laps.count) }
  }
}

// MARK: - Files

extension Timing {
  var json: JSONValue {
    [
      "processor": .string(processor), "threads": .integer(Int64(threads)), "load": .measurement(load),
      "turns": .integer(Int64(turns)),
      "arms": .array(
        entries.map {
          [
            "arm": .string($0.arm), "settings": .string($0.settings), "seconds": .measurement($0.seconds),
            "seconds_shared": .measurement($0.secondsShared),
          ]
        }),
    ]
  }

  func write(to path: String) throws(MixGRPOError) {
    try AtomicFile.write(Array((json.text(.indented) + "\n").utf8), to: path)
  }

  /// - Throws: `inputOutput`, `invalidFormat` naming the path.
  init(path: String) throws(MixGRPOError) {
    let text = String(decoding: try FileAccess.readText(path, limit: 1 << 20), as: UTF8.self)
    guard
      let object = try JSONParser.parse(text, source: path).object, let arms = object["arms"]?.array,
      let processor = object["processor"]?.string, let threads = object["threads"]?.integer,
      let turns = object["turns"]?.integer
    else {
      throw MixGRPOError(.invalidFormat, "\(path): expected a timing, got something else; remove it to measure again")
    }
    (self.processor, self.threads, self.turns) = (processor, threads, turns)
    load = object["load"]?.double ?? .nan
    entries = arms.map { arm in
      Entry(
        arm: arm.object?["arm"]?.string ?? "", settings: arm.object?["settings"]?.string ?? "",
        seconds: arm.object?["seconds"]?.double ?? .nan,
        secondsShared: arm.object?["seconds_shared"]?.double ?? .nan)
    }
  }
}
