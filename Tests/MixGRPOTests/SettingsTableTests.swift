import CMixGRPO
import Foundation
import MixSettings
import Testing

@testable import MixGRPO

/// One row and one field are all there is to a setting: everything else follows from the row.
@Suite struct SettingsTableTests {
  private let header: String = {
    let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../include/mixgrpo.h").standardized.path
    return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }()

  /// The body of a struct, one string for each field with the comment that follows it.
  private func fields(of name: String) throws -> [(name: String, text: String)] {
    let body = try #require(
      header.firstMatch(of: try Regex("struct \(name) \\{([\\s\\S]*?)\\n\\} \(name);"))?.output[1].substring)
    return body.matches(of: /(?m)^  \w+ (\w+)(?:\[\d\])?;.*/).map { (String($0.output.1), String($0.output.0)) }
  }

  @Test func everyFieldOfEveryConfigurationHasExactlyOneRow() throws {
    let structs = header.matches(of: /typedef struct (mixgrpo_\w+_config) \{/).map { String($0.output.1) }
    #expect(structs.count == 9)
    for name in structs {
      let keys = SettingsCatalog.all.filter { $0.config == name }.map(\.key)
      let fields = try fields(of: name).map(\.name).filter { !["struct_size", "reserved", "sigma_count"].contains($0) }
      #expect(keys.sorted() == fields.sorted(), "\(name)")
    }
  }

  @Test func namesOfChoicesAreTheHeadersConstants() throws {
    for entry in SettingsCatalog.all where !entry.kind.cases.isEmpty {
      let field = try #require(fields(of: entry.config).first { $0.name == entry.key })
      let type = try #require(field.text.firstMatch(of: /mixgrpo_(\w+)/)?.output.1)
      for (number, name) in entry.kind.cases.enumerated() {
        let constant = "MIXGRPO_\(type)_\(name)".uppercased()
        #expect(header.contains("\(constant) = \(number)"), "\(constant)")
      }
      let count = try header.matches(of: Regex("\\bMIXGRPO_\(type.uppercased())_\\w+ = \\d")).count
      #expect(count == entry.kind.cases.count, "\(type)")
    }
  }

  @Test func everyDefaultFitsItsRowAndIsThatOfTheTypes() throws {
    for entry in SettingsCatalog.all { #expect(entry.kind.refusal(of: entry.standard) == nil, "\(entry.key)") }
    #expect(SamplingConfiguration().record.json == mixgrpo_sampling_config.standard.json)
    #expect(LearningConfiguration().record.json == mixgrpo_learning_config.standard.json)
    #expect(try SamplingConfiguration(.standard) == SamplingConfiguration())
    #expect(try LearningConfiguration(.standard) == LearningConfiguration())
    #expect(try EvaluationConfiguration(.standard) == EvaluationConfiguration())
    #expect(try FlowTransformerConfiguration(.standard).record.json == mixgrpo_model_config.standard.json)
    #expect(PretrainingConfiguration().json["shift"] == 3.0)
  }

  @Test func everySamplingRowSurvivesEveryConversion() throws {
    let sampling: [JSONObject] = [
      [:], ["window_mode": "frozen"], ["window_mode": "linear_decay"], ["window_mode": "exponential_decay"],
      ["window_mode": "adaptive"], ["window_mode": "all", "trained_fraction": 0.5], ["flash_ratio": 0.4],
    ]
    try survive(sampling, SamplingConfiguration.keysInForce)
    try survive([[:], ["schedule": "cosine"], ["fault_policy": "roll_back"]], LearningConfiguration.keysInForce)
  }

  /// Each row in one of the configurations where it makes a difference, with another value than it has there: through the
  /// library's types, JSON and a checkpoint's keys.
  private func survive<Record: SettingsRecord>(
    _ starts: [JSONObject], _ keysInForce: (Record) -> Set<String>
  ) throws {
    for setting in Record.settings {
      var bases: [Record] = []
      for start in starts {
        var record = Record.standard
        #expect(record.apply(start).isEmpty)
        if keysInForce(record).contains(setting.key) { bases.append(record) }
      }
      let base = try #require(bases.first, "\(setting.key) makes a difference nowhere")
      let value = try #require(setting.kind.another(than: setting.read(base)), "\(setting.key)")
      var read = base
      #expect(read.apply([setting.key: value]).isEmpty, "\(setting.key)")
      #expect(setting.read(read) == value && read.difference(from: base).members.map(\.name) == [setting.key])
      var (before, after) = (CheckpointSettings(), CheckpointSettings())
      before.add(base)
      after.add(read)
      #expect((before != after) == setting.changesResults, "\(setting.key)")
      #expect((after.values[setting.key] == value.shown) == setting.changesResults, "\(setting.key)")
    }
  }

  @Test func everyRowRefusesWhatIsOutOfItsBounds() {
    for entry in SettingsCatalog.all {
      switch entry.kind {
      case .integer(let range), .number(let range):
        let outside = [
          range.isMinimumOpen ? range.minimum : range.minimum - 1, range.isMaximumOpen ? range.maximum : range.maximum * 2 + 1,
          .nan,
        ]
        for value in outside { #expect(entry.kind.refusal(of: .number(value)) != nil, "\(entry.key) \(value)") }
      default: #expect(entry.kind.refusal(of: .integer(1_000)) != nil, "\(entry.key)")
      }
      #expect(entry.kind.refusal(of: "no such") != nil && !entry.summary.isEmpty)
    }
  }

  /// Models, adapters and the host's model check sizes themselves, because hosts in Swift make them without a record.
  @Test func typesWithoutARecordHaveTheRangesOfTheirRows() throws {
    let model = try FlowTransformerConfiguration(.standard)
    func message(_ validate: () throws -> Void) -> String {
      do { try validate() } catch { return "\(error)" }
      return ""
    }
    func expectRange<Record: SettingsRecord>(
      of key: String, in _: Record.Type, atLeast: Int? = nil, _ validate: (Int) throws -> Void
    ) throws {
      let kind = try #require(Record.settings.first { $0.key == key }).kind
      let range: SettingRange
      switch kind {
      case .integer(let found), .number(let found): range = found
      default:
        Issue.record("\(key)")
        return
      }
      let least = atLeast ?? Int(range.isMinimumOpen ? range.minimum + 1 : range.minimum)
      for inside in [least, Int(range.maximum)] {
        #expect(!message { try validate(inside) }.contains("\(key): "), "\(key) \(inside)")
      }
      for outside in [least - 1, Int(range.maximum) + 1] {
        #expect(message { try validate(outside) }.contains("\(key): expected"), "\(key) \(outside)")
      }
    }
    for (key, path) in [
      ("in_channels", \FlowTransformerConfiguration.inChannels), ("out_channels", \.outChannels), ("num_layers", \.numLayers),
      ("num_single_layers", \.numSingleLayers), ("attention_head_dim", \.attentionHeadDim),
      ("num_attention_heads", \.numAttentionHeads), ("joint_attention_dim", \.jointAttentionDim),
      ("pooled_projection_dim", \.pooledProjectionDim),
    ] {
      try expectRange(of: key, in: mixgrpo_model_config.self) { value in
        var changed = model
        changed[keyPath: path] = value
        try changed.validate()
      }
    }
    var lora = LoRAConfiguration()
    try expectRange(of: "rank", in: mixgrpo_lora_config.self) {
      lora.rank = $0
      try lora.validate()
    }
    lora = LoRAConfiguration()
    try expectRange(of: "alpha", in: mixgrpo_lora_config.self) {
      lora.alpha = Double($0)
      try lora.validate()
    }
    let host = mixgrpo_host_config.self
    try expectRange(of: "max_batch", in: host) { try HostModel(prompts: 1, latentSize: 1, maxBatch: $0).validate() }
    try expectRange(of: "prompt_count", in: host, atLeast: 1) { try HostModel(prompts: $0, latentSize: 1).validate() }
    try expectRange(of: "latent_size", in: host, atLeast: 1) { try HostModel(prompts: 1, latentSize: $0).validate() }
    #expect(LoRAConfiguration().rank == Int(mixgrpo_lora_config.standard.rank))
    #expect(LoRAConfiguration().alpha == mixgrpo_lora_config.standard.alpha)
  }

  @Test func unknownNamesAreErrorsWithTheNearestKnownOne() {
    var record = mixgrpo_sampling_config.standard
    let problems = record.apply(["solver": "dpm_2_midpont", "window_lenght": 3])
    #expect(problems.map(\.path.description) == ["solver", "window_lenght"])
    #expect(problems.first?.message.contains("such as \"dpm_2_midpoint\"") == true)
    #expect(problems.last?.message.contains("such as \"window_length\"") == true)
    record.solver = 9
    let error = #expect(throws: MixGRPOError.self) { try record.check() }
    #expect(error?.message.hasPrefix("solver: expected one of euler (0), dpm_1 (1)") == true)
  }
}
