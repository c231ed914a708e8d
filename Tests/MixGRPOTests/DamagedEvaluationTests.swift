import MixStorage
import TestSupport
import Testing

@testable import MixGRPO

/// Files of evaluations that were changed, with a checksum that is right again.
@Suite struct DamagedEvaluationTests {
  private let place: CheckpointPlace
  private let saved: [String: String]
  private var path: String { place.path + "/evaluation.safetensors" }

  init() throws {
    place = try CheckpointPlace()
    let evaluation = try Self.evaluation()
    _ = try evaluation.sample(try TinyRun().trainer)
    try evaluation.submit(iteration: 0, scores: [[1, 2], [3, 5]])
    try evaluation.save(folder: place.path)
    saved = try SafetensorsFile(path: place.path + "/evaluation.safetensors").metadata
  }

  private static func evaluation() throws -> Evaluation {
    try Evaluation(
      prompts: [0, 2], plan: .deterministic(.shifted(steps: 2, shift: 3)),
      rewards: [EvaluationReward("bright"), EvaluationReward("dark", weight: 0, isHeldOut: true)],
      configuration: EvaluationConfiguration())
  }

  /// What a fresh evaluation says of the file with other metadata; `values` are the tensor of its weights.
  private func message(_ change: (inout [String: String]) -> Void, values: [Float] = []) throws -> String {
    var metadata = saved
    metadata["model"] = nil  // and no weights
    change(&metadata)
    try values.withUnsafeBufferPointer { values in
      let entries = values.isEmpty ? [] : [WeightEntry(name: "weights", shape: [values.count], values: values)]
      try SafetensorsWriter.write(
        entries, precision: .float32, metadata: metadata.sorted { $0.key < $1.key }, checksum: true, to: path)
    }
    let evaluation = try Self.evaluation()
    do { try evaluation.restore(folder: place.path) } catch {
      #expect(error.code == .invalidFormat || error.code == .invalidArgument)
      #expect(evaluation.latestIteration == -1)
      return error.message
    }
    return ""
  }

  @Test func anUnchangedFileLoads() throws {
    #expect(try message { _ in } == "")
  }

  @Test(arguments: [
    ("latest_iteration", "-2"), ("latest_iteration", "x"), ("best_iteration", "99999999999999999"), ("worsening", ""),
    ("best_score", "1 2"), ("best_score", "one"), ("origins", "1"), ("scales", "1 2 3"), ("peak_iteration", "1.5"),
    ("held_out_peak", "up"), ("trained_at_peak", ""),
  ])
  func aWrongNumberIsNamed(field: String, value: String) throws {
    #expect(try message { $0[field] = value }.contains("\(field): expected"))
    #expect(try message { $0[field] = nil }.contains("got none"))
  }

  @Test(arguments: [
    ("best_iteration", "3", "best_iteration"), ("best_score", "nan", "best_score"), ("peak_iteration", "3", "peak_iteration"),
    ("worsening", "3", "worsening"), ("held_out_peak", "inf", "held_out_peak"), ("trained_at_peak", "nan", "held_out_peak"),
    ("scales", "0 1", "origins, scales"), ("scales", "nan 1", "origins, scales"), ("origins", "inf 1", "origins, scales"),
    ("origins", "nan 1", "origins, scales"),
  ])
  func aStateThatNoEvaluationLeavesIsRefused(field: String, value: String, rule: String) throws {
    let found = try message { $0[field] = value }
    #expect(found.contains("expected \(rule)"), "\(found)")
  }

  @Test func anotherFormatAndOtherSettingsAreNamed() throws {
    #expect(try message { $0["format"] = "pt" }.contains("expected format mixgrpo-evaluation-1, got pt"))
    #expect(try message { $0["format"] = nil }.contains("got none"))
    #expect(try message { $0["rewards"] = nil }.contains("rewards: expected nothing, as saved"))
    #expect(try message { $0["prompt_indices"] = "[7]" }.contains("prompt_indices: expected [7], as saved"))
  }

  @Test func aModelThatDoesNotMatchItsWeightsIsRefused() throws {
    let model = try #require(saved["model"])
    #expect(try message { $0["model"] = "[1]" }.contains("model: expected an object"))
    #expect(try message { $0["model"] = "{" } != "")
    #expect(try message { $0["model"] = model }.contains("model: expected the sizes of the weights beside it"))
    #expect(try message({ $0["model"] = model }, values: [Float](repeating: 1, count: 100_000)) != "")
  }
}
