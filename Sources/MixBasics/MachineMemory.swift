#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How much memory can still be filled before the system begins to end processes.
///
/// An estimate that errs on the high side, so that nothing is refused that would have fitted: what could be reclaimed or
/// swapped out counts as available. Linux alone; nil elsewhere.
enum MachineMemory {
  /// The least of what the machine and each of the process's control groups have left, in bytes.
  static var available: Int? {
    let rooms = ([machine] + controlGroups).compactMap(\.self)
    return rooms.min()
  }

  /// MemAvailable and free swap (proc(5)).
  private static var machine: Int? {
    guard let table = KernelFile("/proc/meminfo"), let free = table.number(after: "MemAvailable:") else { return nil }
    return (free + (table.number(after: "SwapFree:") ?? 0)) << 10
  }

  /// The limits of the process's memory control groups, versions 1 and 2, and of those above them.
  private static var controlGroups: [Int?] {
    guard let list = KernelFile("/proc/self/cgroup") else { return [] }
    return list.text.split(separator: "\n").flatMap { line -> [Int?] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [] }
      if fields[1].isEmpty { return levels(fields[2]).map { unified("/sys/fs/cgroup\($0)") } }
      if fields[1] == "memory" { return levels(fields[2]).map { legacy("/sys/fs/cgroup/memory\($0)") } }
      return []
    }
  }

  /// "/a/b" as "/a/b", "/a", "". In a container only the last may be visible.
  private static func levels(_ path: Substring) -> [String] {
    let names = path.split(separator: "/").prefix(32)
    return (0...names.count).reversed().map { names.prefix($0).map { "/" + $0 }.joined() }
  }

  private static func unified(_ folder: String) -> Int? {
    room(
      limit: KernelFile(folder + "/memory.max")?.number, used: KernelFile(folder + "/memory.current")?.number,
      reclaimable: KernelFile(folder + "/memory.stat"), names: ["file ", "slab_reclaimable "])
  }

  private static func legacy(_ folder: String) -> Int? {
    room(
      limit: KernelFile(folder + "/memory.limit_in_bytes")?.number, used: KernelFile(folder + "/memory.usage_in_bytes")?.number,
      reclaimable: KernelFile(folder + "/memory.stat"), names: ["total_cache "])
  }

  private static func room(limit: Int?, used: Int?, reclaimable: KernelFile?, names: [String]) -> Int? {
    guard let limit, let used else { return nil }
    let freed = names.reduce(0) { $0 &+ (reclaimable?.number(after: $1) ?? 0) }
    let swap = (KernelFile("/proc/meminfo")?.number(after: "SwapFree:") ?? 0) << 10
    let (room, overflow) = (limit - min(used, limit)).addingReportingOverflow(freed &+ swap)
    return overflow ? nil : room
  }
}

/// A short text file of the kernel.
private struct KernelFile {
  let text: String

  init?(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled) }
      if count <= 0 { break }
      filled += count
    }
    text = String(decoding: bytes.prefix(filled), as: UTF8.self)
  }

  /// The whole content as a number; nil for "max".
  var number: Int? { Int(text.filter { $0 != "\n" }) }

  /// The number that follows a name at the start of a line.
  func number(after name: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return Int(line.dropFirst(name.count).drop { $0 == " " }.prefix { $0.isNumber })
    }
    return nil
  }
}
