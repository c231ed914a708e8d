import MixGRPO
import MixSettings

/// One reward of a run: a built-in picture statistic, or a program that scores pictures.
struct RewardSetting: Equatable {
  var name: String
  var weight = 1.0
  /// The program and its arguments; empty for a built-in reward.
  var program: [String] = []
  /// The folder in which the program is started; empty for the current one.
  var directory = ""
  /// Start the program for every batch and close its input after the batch, instead of keeping it running.
  var perBatch = false
  /// The name of the reward that is a person's votes.
  static let person = "person"
  /// Time limit for one batch, in seconds.
  var timeout = 300.0

  /// The rewards of the command line, which replace all rewards of a file.
  /// - Parameter flag: the flag of built-in rewards; the flag of programs ends in "-program".
  static func given(_ builtIn: [String], programs: [String], _ flag: String) throws(MixGRPOError) -> [RewardSetting] {
    var given: [RewardSetting] = []
    for text in builtIn { given.append(try RewardSetting(builtIn: text, flag)) }
    for (number, text) in programs.enumerated() {
      given.append(try RewardSetting(program: text, number: number, flag + "-program"))
    }
    return given
  }

  /// `brightness` or `brightness:0.5`.
  init(builtIn text: String, _ flag: String = "--reward") throws(MixGRPOError) {
    (name, weight) = try Self.nameAndWeight(text, flag)
    if name == Self.person { return }
    do throws(MixGRPOError) {
      _ = try PictureStatistic(named: name)
    } catch {
      throw MixGRPOError(error.code, "\(error.message); a program is given with \(flag)-program")
    }
  }

  /// Votes of a person.
  var isPerson: Bool { program.isEmpty && name == Self.person }

  /// `python3 score.py` or `taste:0.5=python3 score.py`; split into words like a shell, without expansion.
  init(program text: String, number: Int, _ flag: String = "--reward-program") throws(MixGRPOError) {
    let standard = flag == "--reward-program" ? "program" : "held_out_program"
    name = number == 0 ? standard : "\(standard)_\(number + 1)"
    var command = text[...]
    if let sign = text.firstIndex(of: "="), !text[..<sign].contains(where: { $0.isWhitespace || $0 == "/" }) {
      (name, weight) = try Self.nameAndWeight(String(text[..<sign]), flag)
      command = text[text.index(after: sign)...]
    }
    program = try CommandWords.split(String(command))
    try require(!program.isEmpty, flag, expected: "a program and its arguments", got: "\"\(text)\"")
  }

  private static func nameAndWeight(_ text: String, _ field: String) throws(MixGRPOError) -> (String, Double) {
    guard let colon = text.lastIndex(of: ":") else { return (text, 1) }
    let weight = text[text.index(after: colon)...]
    guard let value = Double(weight), value.isFinite, value >= 0 else {
      throw .invalid(field, expected: "a weight of 0 or more after the colon", got: "\"\(weight)\"")
    }
    return (String(text[..<colon]), value)
  }
}

extension RewardSetting: SettingsTable {
  static var settings: [Setting<RewardSetting>] {
    [
      .text("name", \.name, "a built-in reward, or any name for a program"),
      .number("weight", \.weight, .closed(0, 1e30), "weight in the sum of rewards"),
      .texts("program", \.program, "program and arguments, started without a shell"),
      .text("directory", \.directory, "folder in which the program is started; empty for the current one"),
      .flag("per_batch", \.perBatch, "start the program for every batch instead of keeping it running"),
      .number("timeout_seconds", \.timeout, .above(0, upTo: 1e6), unit: "seconds", "time limit for one batch"),
    ]
  }

  init(json: JSONValue) throws(MixGRPOError) {
    guard let object = json.object else { throw mismatch("objects such as {\"name\": \"brightness\", \"weight\": 1}", json) }
    name = ""
    let problems = apply(object)
    if !problems.isEmpty {
      throw MixGRPOError(.invalidArgument, problems.map { "\($0.path): \($0.message)" }.joined(separator: "; "))
    }
    try validate()
  }

  /// - Throws: `invalidArgument` for an unknown built-in reward, and for values out of range.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    if program.isEmpty, !isPerson { check.include { () throws(MixGRPOError) in _ = try PictureStatistic(named: name) } }
    check.require(!name.isEmpty, "rewards: name", expected: "a name", got: "none")
    self.check(&check, prefix: "rewards: ")
    try check.throwIfAny()
  }
}

extension Setting {
  static func rewards(_ name: String, _ path: WritableKeyPath<Root, [RewardSetting]>, _ summary: String) -> Setting {
    .rewards(name, path, summary, to: { .object($0.json) }, from: RewardSetting.init(json:))
  }
}
