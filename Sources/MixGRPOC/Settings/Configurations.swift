import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSampling
import MixSettings

@_cdecl("mixgrpo_config_init") @implementation
public func mixgrpo_config_init(
  _ out_sampling: UnsafeMutablePointer<mixgrpo_sampling_config>?, _ sampling_size: Int,
  _ out_learning: UnsafeMutablePointer<mixgrpo_learning_config>?, _ learning_size: Int
) -> mixgrpo_status {
  withStatus {
    let skipsSampling = out_sampling == nil && sampling_size == 0
    let skipsLearning = out_learning == nil && learning_size == 0
    if !skipsLearning { _ = try HostStruct(out_learning, size: learning_size, "out_learning") }
    if !skipsSampling { try writeDefaults(.standard, to: out_sampling, size: sampling_size, "out_sampling") }
    if !skipsLearning { try writeDefaults(.standard, to: out_learning, size: learning_size, "out_learning") }
  }
}

@_cdecl("mixgrpo_config_init_preset") @implementation
public func mixgrpo_config_init_preset(
  _ name: UnsafePointer<CChar>?, _ out_sampling: UnsafeMutablePointer<mixgrpo_sampling_config>?,
  _ out_learning: UnsafeMutablePointer<mixgrpo_learning_config>?
) -> mixgrpo_status {
  withStatus {
    let preset = try Preset(name: text(name, "name"))
    let sampling = try HostStruct.optional(out_sampling, "out_sampling")
    let learning = try HostStruct.optional(out_learning, "out_learning")
    if let sampling {
      var config = preset.sampling.record
      (config.seed, config.group_size) = (sampling.current.seed, sampling.current.group_size)
      sampling.write(config)
    }
    learning?.write(preset.learning.record)
  }
}

@_cdecl("mixgrpo_preset_name") @implementation
public func mixgrpo_preset_name(_ index: Int) -> UnsafePointer<CChar>? {
  guard Preset.allCases.indices.contains(index) else { return nil }
  return StaticText.pointer(Preset.allCases[index].staticName)
}

@_cdecl("mixgrpo_config_check") @implementation
public func mixgrpo_config_check(
  _ sampling: UnsafePointer<mixgrpo_sampling_config>?, _ learning: UnsafePointer<mixgrpo_learning_config>?
) -> mixgrpo_status {
  withStatus { _ = try Settings(sampling, learning) }
}

@_cdecl("mixgrpo_config_describe") @implementation
public func mixgrpo_config_describe(
  _ sampling: UnsafePointer<mixgrpo_sampling_config>?, _ learning: UnsafePointer<mixgrpo_learning_config>?,
  _ out_text: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ out_size: UnsafeMutablePointer<Int>?
) -> mixgrpo_status {
  withStatus {
    let description = try Settings(sampling, learning).description()
    try deliver(description, to: out_text, capacity: capacity, size: out_size, "out_text")
  }
}

/// Both configurations, each optional.
struct Settings {
  let sampling: SamplingConfiguration?
  let learning: LearningConfiguration?

  /// - Throws: `invalidArgument` naming every problem of both.
  init(
    _ sampling: UnsafePointer<mixgrpo_sampling_config>?, _ learning: UnsafePointer<mixgrpo_learning_config>?
  ) throws(MixGRPOError) {
    var check = Validation()
    var (checkedSampling, checkedLearning): (SamplingConfiguration?, LearningConfiguration?)
    check.include { () throws(MixGRPOError) in
      checkedSampling = try readOptional(sampling, "sampling").map { (config) throws(MixGRPOError) in
        try SamplingConfiguration(config)
      }
    }
    let groupSize = checkedSampling?.groupSize ?? Int(Int32.max)
    check.include { () throws(MixGRPOError) in
      checkedLearning = try readOptional(learning, "learning").map { (config) throws(MixGRPOError) in
        try LearningConfiguration(config, groupSize: groupSize)
      }
    }
    try check.throwIfAny()
    (self.sampling, self.learning) = (checkedSampling, checkedLearning)
  }
}

extension Preset {
  /// The name in memory that lasts as long as the process.
  fileprivate var staticName: StaticString {
    switch self {
    case .mixGRPO: "mixgrpo"
    case .mixGRPOFlash: "mixgrpo_flash"
    case .mixGRPOFlashStar: "mixgrpo_flash_star"
    case .flowGRPO: "flow_grpo"
    case .danceGRPO: "dance_grpo"
    case .person: "person"
    }
  }
}
