import MixGRPO
import MixSettings

extension Preset {
  /// What `--preset` changes. For a published method, the settings in which the methods differ, with this one's values: applying
  /// them over other settings selects this method, whatever method was applied before. For the preset of a person, what differs
  /// from the defaults.
  var changes: (sampling: JSONObject, learning: JSONObject) {
    let standard = (sampling: SamplingSettings(), learning: LearningSettings())
    var names = (sampling: Set<String>(), learning: Set<String>())
    for preset in self == .person ? [self] : Preset.methods {
      let (sampling, learning) = (SamplingSettings(preset.sampling), LearningSettings(preset.learning))
      names.sampling.formUnion(sampling.difference(from: standard.sampling).members.map(\.name))
      names.learning.formUnion(learning.difference(from: standard.learning).members.map(\.name))
    }
    return (
      SamplingSettings(sampling).json.only(names.sampling), LearningSettings(learning).json.only(names.learning)
    )
  }
}

extension JSONObject {
  func only(_ names: Set<String>) -> JSONObject {
    var object = JSONObject()
    for member in members where names.contains(member.name) { object[member.name] = member.value }
    return object
  }
}
