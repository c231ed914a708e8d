import MixStorage
import ProceduralWorld

/// The result of one run of one arm, stored in its own file so that an interrupted comparison can be resumed.
struct RunResult: Equatable, Sendable {
  struct Point: Equatable, Sendable {
    /// Completed iterations.
    let iteration: Int
    /// In the order of `Judges.names`.
    let rewards: [Double]
  }

  /// One training iteration.
  struct Step: Equatable, Sendable {
    /// Means of the trained rewards over the iteration's pictures.
    let rewards: [Double]
    let clippedFraction: Double
    /// Largest |log p − log p_old|.
    let logRatioNats: Double
    let gradientNorm: Double
  }

  let arm: String
  let seed: Int
  let settings: String
  var points: [Point] = []
  var steps: [Step] = []

  var last: Point? { points.last }

  /// Mean of the final trained rewards, which tuning maximises.
  var trainedReward: Double {
    guard let last else { return .nan }
    return last.rewards.prefix(Judges.trained).reduce(0, +) / Double(Judges.trained)
  }
}

// MARK: - Files

extension RunResult {
  private static let limit = 1 << 26

  var json: JSONValue {
    [
      "arm": .string(arm), "seed": .integer(Int64(seed)), "settings": .string(settings),
      "rewards": .array(Judges.names.map(JSONValue.string)),
      "points": .array(
        points.map { ["iteration": .integer(Int64($0.iteration)), "rewards": .array($0.rewards.map(JSONValue.measurement))] }),
      "training": .array(
        steps.map {
          [
            "rewards": .array($0.rewards.map(JSONValue.measurement)), "clip_fraction": .measurement($0.clippedFraction),
            "max_log_ratio_nats": .measurement($0.logRatioNats), "gradient_norm": .measurement($0.gradientNorm),
          ]
        }),
    ]
  }

  func write(to path: String) throws(MixGRPOError) {
    try AtomicFile.write(Array((json.text(.indented) + "\n").utf8), to: path)
  }

  /// - Throws: `inputOutput`, `invalidFormat` naming the path.
  init(path: String) throws(MixGRPOError) {
    let text = String(decoding: try FileAccess.readText(path, limit: Self.limit), as: UTF8.self)
    let document = try JSONParser.parse(text, source: path)
    guard
      let object = document.object, let arm = object["arm"]?.string, let seed = object["seed"]?.integer,
      let settings = object["settings"]?.string, let points = object["points"]?.array,
      let steps = object["training"]?.array
    else { throw Self.malformed(path) }
    (self.arm, self.seed, self.settings) = (arm, seed, settings)
    self.points = try points.map { (point) throws(MixGRPOError) in try Self.point(point, path) }
    self.steps = try steps.map { (step) throws(MixGRPOError) in try Self.step(step, path) }
  }

  init(arm: String, seed: Int, settings: String) {
    (self.arm, self.seed, self.settings) = (arm, seed, settings)
  }

  private static func point(_ value: JSONValue, _ path: String) throws(MixGRPOError) -> Point {
    guard let iteration = value.object?["iteration"]?.integer else { throw malformed(path) }
    return Point(iteration: iteration, rewards: try rewards(value, Judges.names.count, path))
  }

  private static func step(_ value: JSONValue, _ path: String) throws(MixGRPOError) -> Step {
    Step(
      rewards: try rewards(value, Judges.trained, path), clippedFraction: value.object?["clip_fraction"]?.double ?? .nan,
      logRatioNats: value.object?["max_log_ratio_nats"]?.double ?? .nan,
      gradientNorm: value.object?["gradient_norm"]?.double ?? .nan)
  }

  private static func rewards(_ value: JSONValue, _ count: Int, _ path: String) throws(MixGRPOError) -> [Double] {
    guard let rewards = value.object?["rewards"]?.array, rewards.count == count else { throw malformed(path) }
    return rewards.map { $0.double ?? .nan }
  }

  private static func malformed(_ path: String) -> MixGRPOError {
    MixGRPOError(.invalidFormat, "\(path): expected the result of a run, got something else; remove it to run again")
  }
}
