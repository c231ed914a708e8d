/// The control groups of this process, from /proc/self/cgroup (cgroups(7)).
struct ControlGroups {
  private static let deepest = 32
  private let lines: [(controllers: [Substring], path: Substring)]

  /// - Parameter list: the file's text, with lines "number:controllers:path"; malformed lines are ignored.
  init(list: String) {
    lines = list.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      return fields.count == 3 ? (fields[1].split(separator: ","), fields[2]) : nil
    }
  }

  /// The groups of this process; empty where the kernel has no control groups.
  static var own: ControlGroups { ControlGroups(list: KernelFile("/proc/self/cgroup")?.text ?? "") }

  /// The folder of the version 2 group and of its ancestors, the group's own first.
  var unified: [String] { folders("/sys/fs/cgroup") { $0.isEmpty } }

  /// The folder of the version 1 group with a controller, such as "cpu", and of its ancestors.
  func legacy(_ controller: String) -> [String] {
    folders("/sys/fs/cgroup/\(controller)") { $0.contains { $0 == controller } }
  }

  private func folders(_ root: String, where isWanted: ([Substring]) -> Bool) -> [String] {
    lines.filter { isWanted($0.controllers) }.flatMap { Self.levels($0.path).map { root + $0 } }
  }

  /// "/a/b" becomes "/a/b", "/a", "". In a container only the last may be visible.
  private static func levels(_ path: Substring) -> [String] {
    let names = path.split(separator: "/").prefix(deepest)
    return (0...names.count).reversed().map { names.prefix($0).map { "/" + $0 }.joined() }
  }
}
