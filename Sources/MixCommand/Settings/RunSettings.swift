import MixGRPO
import MixSettings

/// The settings of a run, which its folder keeps so that it can be resumed from anywhere, also when it has been moved.
protocol RunSettings: SettingsTable {
  /// The paths of inputs.
  static var paths: [WritableKeyPath<Self, String>] { get }
  /// The rewards whose programs are started in a folder.
  static var programs: [WritableKeyPath<Self, [RewardSetting]>] { get }
  var out: String { get set }
}

extension AlignSettings: RunSettings {
  static var paths: [WritableKeyPath<Self, String>] { [\.model, \.pictures.prompts, \.pictures.embeddings, \.person.votes] }
  static var programs: [WritableKeyPath<Self, [RewardSetting]>] { [\.rewards, \.evaluation.heldOut] }
}

extension PretrainSettings: RunSettings {
  static var paths: [WritableKeyPath<Self, String>] { [\.data, \.startFrom] }
  static var programs: [WritableKeyPath<Self, [RewardSetting]>] { [] }
}

extension RunSettings {
  /// The settings as the run's folder keeps them: independent of the current folder.
  func withAbsolutePaths() throws(MixGRPOError) -> Self {
    var settings = self
    for path in Self.paths + [\.out] where !settings[keyPath: path].isEmpty {
      settings[keyPath: path] = try FileAccess.absolute(settings[keyPath: path])
    }
    for rewards in Self.programs {
      for index in settings[keyPath: rewards].indices where !settings[keyPath: rewards][index].program.isEmpty {
        let directory = settings[keyPath: rewards][index].directory
        settings[keyPath: rewards][index].directory = try FileAccess.absolute(directory.isEmpty ? "." : directory)
      }
    }
    return settings
  }

  /// The settings of the run in a folder. An input that is no longer where it was is looked for where it should be now if it has
  /// moved together with the folder.
  /// - Throws: the errors of reading settings.
  init(resuming folder: RunFolder, from start: Self) throws(MixGRPOError) {
    self = start
    try SettingsSource.apply(file: folder.settings, to: &self)
    let move = FolderMove(from: out, to: try FileAccess.absolute(folder.path))
    for path in Self.paths { self[keyPath: path] = try move.applied(to: self[keyPath: path]) }
    for rewards in Self.programs {
      for index in self[keyPath: rewards].indices {
        let reward = self[keyPath: rewards][index]
        self[keyPath: rewards][index].directory = try move.applied(to: reward.directory)
        self[keyPath: rewards][index].program = try reward.program.map { (word) throws(MixGRPOError) in
          try move.applied(to: word)
        }
      }
    }
    out = folder.path
  }
}

/// A folder that has moved, perhaps with what is around it.
struct FolderMove {
  private let old: [Substring]
  private let new: [Substring]

  /// - Parameters: absolute paths; nothing moves with a relative one.
  init(from old: String, to new: String) {
    (self.old, self.new) = (old.hasPrefix("/") ? old.split(separator: "/") : [], new.split(separator: "/"))
  }

  /// The place of an absolute path at the same distance from the folder's new place, if something is there and nothing is at the
  /// old one; otherwise the path as it is.
  func applied(to path: String) throws(MixGRPOError) -> String {
    guard path.hasPrefix("/"), !old.isEmpty, old != new, try !isPresent(path) else { return path }
    let components = path.split(separator: "/")
    let common = zip(components, old).prefix { $0 == $1 }.count
    let levels = old.count - common
    guard common > 0, levels <= new.count else { return path }
    let moved = "/" + (new.dropLast(levels) + components.dropFirst(common)).joined(separator: "/")
    return try isPresent(moved) ? moved : path
  }

  /// Words of a command are no paths, and need not even be valid ones.
  private func isPresent(_ path: String) throws(MixGRPOError) -> Bool {
    do { return try FileAccess.isPresent(path) } catch  where error.code == .inputOutput || error.code == .invalidArgument {
      return false
    }
  }
}
