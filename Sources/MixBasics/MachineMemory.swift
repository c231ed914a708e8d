/// How much memory can still be used before the system starts to kill processes.
///
/// An estimate that errs on the high side, so that nothing is refused that would have fitted: reclaimable and swappable memory
/// counts as available. Linux only; nil elsewhere.
enum MachineMemory {
  /// The minimum of what the machine and each control group of the process have left, in bytes.
  static var available: Int? {
    let rooms = ([machine] + controlGroups).compactMap(\.self)
    return rooms.min()
  }

  /// MemAvailable and free swap (proc(5)).
  private static var machine: Int? {
    guard let table = KernelFile("/proc/meminfo"), let free = table.number(after: "MemAvailable:") else { return nil }
    return (free + (table.number(after: "SwapFree:") ?? 0)) << 10
  }

  /// The limits of the process's memory control groups, versions 1 and 2, and of their ancestors.
  private static var controlGroups: [Int?] {
    let groups = ControlGroups.own
    return groups.unified.map(unified) + groups.legacy("memory").map(legacy)
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

  /// nil without a limit.
  static func room(limit: Int?, used: Int?, reclaimable: KernelFile?, names: [String]) -> Int? {
    guard let limit, let used else { return nil }
    let freed = names.reduce(0) { $0 &+ (reclaimable?.number(after: $1) ?? 0) }
    let swap = (KernelFile("/proc/meminfo")?.number(after: "SwapFree:") ?? 0) << 10
    let (room, overflow) = (limit - min(used, limit)).addingReportingOverflow(freed &+ swap)
    return overflow ? nil : room
  }
}
