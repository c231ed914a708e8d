import MixGRPO
import MixSettings

/// One reward of a run: a built-in statistic of pictures, or a program that scores them.
struct RewardSetting: Equatable {
  var name: String
  var weight = 1.0
  /// The program and its arguments; empty for a built-in.
  var program: [String] = []
  /// Start the program anew for every batch and close its input after it, instead of keeping one running.
  var perBatch = false
  /// Seconds that one batch may take.
  var timeout = 300.0

  /// The rewards of the command line; they replace those of a file, all of them.
  /// - Parameter flag: of the built-in ones; that of programs has "-program" at its end.
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
    _ = try PictureStatistic(named: name)
  }

  /// `python3 score.py` or `taste:0.5=python3 score.py`; words as a shell would split them, nothing is expanded.
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
      .number("weight", \.weight, .closed(0, 1e30), default: 1, "in the sum of several"),
      .texts("program", \.program, "program and arguments, started without a shell"),
      .flag("per_batch", \.perBatch, default: false, "start the program for every batch"),
      .number("timeout_seconds", \.timeout, .above(0, upTo: 1e6), default: 300, unit: "seconds", "that one batch may take"),
    ]
  }

  init(json: JSONValue) throws(MixGRPOError) {
    guard let object = json.object else { throw unfit("objects such as {\"name\": \"brightness\", \"weight\": 1}", json) }
    name = ""
    let problems = apply(object)
    try require(problems.isEmpty, "rewards", expected: "fit members", got: problems.map { "\($0.path): \($0.message)" })
    try validate()
  }

  /// - Throws: `invalidArgument` for a name that is no built-in without a program, and values out of bounds.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    if program.isEmpty { check.include { () throws(MixGRPOError) in _ = try PictureStatistic(named: name) } }
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
