import MixGRPO
import MixTerminal

/// A user's program that scores pictures.
///
/// For each picture it reads a line of JSON from its standard input,
///
///     {"image": "/tmp/…/000012-03.png", "prompt": "a red circle", "iteration": 12, "index": 3, "count": 48}
///
/// and prints a line with a number, or `nan` for no score. The request also has "metadata" if the prompt's line had other
/// members. Pictures are removed once the batch is scored. The program's standard error is passed through.
final class ProgramReward: PictureReward {
  private let setting: RewardSetting
  private let context: RunContext
  private let warn: (String) -> Void
  private let folder: ScratchFolder
  private var running: ChildProcess?
  /// Whether a program has answered with a number or nan since it was started.
  private var hasAnswered = false

  init(_ setting: RewardSetting, _ context: RunContext, warn: @escaping (String) -> Void) throws(MixGRPOError) {
    (self.setting, self.context, self.warn) = (setting, context, warn)
    folder = try ScratchFolder()
    if !setting.perBatch { running = try start() }
  }

  /// - Throws: `inputOutput` when the program cannot be started, ends early, times out, or prints no number at all;
  ///   `cancelled`.
  func score(_ batch: PictureBatch) throws(MixGRPOError) -> [Double] {
    defer { folder.clear() }
    let lines = try requests(of: batch)
    let child: ChildProcess
    if let running { child = running } else { child = try start() }
    if setting.perBatch { hasAnswered = false }
    var answers: [String] = []
    do throws(MixGRPOError) {
      answers = try child.exchange(
        Array(lines.utf8), replies: batch.entries.count, closingInput: setting.perBatch, timeout: setting.timeout, context)
    } catch {
      LastSteps.waitIfEnding()
      running = nil
      if error.code == .cancelled { throw error }
      throw MixGRPOError(error.code, "reward \(setting.name): \(error.message)")
    }
    return try numbers(answers, iteration: batch.iteration)
  }

  private func start() throws(MixGRPOError) -> ChildProcess {
    do throws(MixGRPOError) {
      let directory = setting.directory
      let isThere = directory.isEmpty ? true : try FileAccess.isFolder(directory)
      guard isThere else {
        throw MixGRPOError(.inputOutput, "directory: expected a folder to start the program in, got \(directory)")
      }
      return try ChildProcess(setting.program, in: directory)
    } catch {
      let isVariable = CommandWords.isAssignment("\(setting.name)=")
      let advice = isVariable ? "; to set a variable for a program, write env \(setting.name)=…" : ""
      throw MixGRPOError(error.code, "reward \(setting.name): \(error.message)\(advice)")
    }
  }

  /// Writes the pictures and returns the request lines with their paths.
  private func requests(of batch: PictureBatch) throws(MixGRPOError) -> String {
    var lines = ""
    for (index, entry) in batch.entries.enumerated() {
      let path = try folder.write(PNG.encode(entry.image), name: "\(padded(batch.iteration, 6))-\(padded(index, 4)).png")
      var object: JSONObject = [
        "image": .string(path), "prompt": .string(entry.prompt.text), "iteration": .integer(Int64(batch.iteration)),
        "index": .integer(Int64(index)), "count": .integer(Int64(batch.entries.count)),
      ]
      if !entry.prompt.metadata.members.isEmpty { object["metadata"] = .object(entry.prompt.metadata) }
      lines += try JSONValue.object(object).text() + "\n"
    }
    return lines
  }

  /// Other lines count as "no score" and cause a warning. A batch without any number is an error, and so is a message in place of
  /// a program's first answer: all that follow would belong to other pictures.
  private func numbers(_ answers: [String], iteration: Int) throws(MixGRPOError) -> [Double] {
    let scores = answers.map { RewardAnswer($0)?.score }
    let isShifted = !hasAnswered && scores.first == .some(nil)
    hasAnswered = true
    guard let first = scores.firstIndex(where: { $0 == nil }) else { return scores.compactMap { $0 } }
    let shown = "\"\(answers[first].prefix(80))\""
    guard !isShifted, scores.contains(where: { $0 != nil }) else {
      throw MixGRPOError(
        .inputOutput,
        "reward \(setting.name): \(CommandWords.line(setting.program)): expected a number or nan in each line, got \(shown); print "
          + "messages to standard error\(CommandWords.advice(setting.program))")
    }
    let count = scores.reduce(0) { $1 == nil ? $0 + 1 : $0 }
    warn(
      "reward \(setting.name): iteration \(iteration): expected a number or nan in each line, got \(shown); "
        + "\(count) of \(scores.count) pictures count as not scored")
    return scores.map { $0 ?? .nan }
  }

}

/// A program's answer for one picture; NaN and infinities mean "no score".
struct RewardAnswer {
  let score: Double

  /// Nil when the line is not a number.
  init?(_ line: String) {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard words.count == 1, let text = words.first, let number = Double(text) else { return nil }
    score = number.isFinite ? number : .nan
  }
}

/// A number with leading zeros, from 0.
func padded(_ number: Int, _ digits: Int) -> String {
  String(repeating: "0", count: max(0, digits - "\(number)".count)) + "\(number)"
}
