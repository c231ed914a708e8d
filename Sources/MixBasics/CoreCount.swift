internal import CProcessor

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The number of cores that this process may use.
enum CoreCount {
  static let most = 1_024

  /// The minimum of the online cores, the thread's affinity mask, and the quota of each control group; 1…1024.
  static var available: Int { share(ofProcesses: 1) }

  /// The cores of each of several processes that share the machine, or the part of it that their control groups have; 1…1024. The
  /// affinity mask is this process's own: it is not shared out.
  static func share(ofProcesses processes: Int) -> Int {
    let machine = ([online] + quotas + sets).compactMap(\.self).min() ?? 1
    return min(max(1, machine / max(1, processes)), affinity ?? most, most)
  }

  private static var online: Int? {
    let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    return count > 0 ? count : nil
  }

  /// Cores that the calling thread may run on, as taskset(1) sets them; nil where the system does not report it.
  static var affinity: Int? {
    #if os(Linux)
    var words = most / UInt64.bitWidth
    while words <= 1 << 16 / UInt64.bitWidth {  // the kernel refuses a mask that is shorter than its own
      var mask = [UInt64](repeating: 0, count: words)
      let status = mixgrpo_affinity(&mask, words * MemoryLayout<UInt64>.stride)
      if status == 0 { return mask.reduce(0) { $0 + $1.nonzeroBitCount } }
      guard errno == EINVAL else { return nil }
      words *= 2
    }
    #endif
    return nil
  }

  /// The limits of the process's control groups, versions 1 and 2, and of their ancestors.
  private static var quotas: [Int?] {
    let groups = ControlGroups.own
    return groups.unified.map { KernelFile($0 + "/cpu.max").flatMap(unifiedQuota) }
      + groups.legacy("cpu").map {
        legacyQuota(KernelFile($0 + "/cpu.cfs_quota_us"), period: KernelFile($0 + "/cpu.cfs_period_us"))
      }
  }

  /// The sizes of the core sets of the same groups: a container may have fewer cores than the machine.
  private static var sets: [Int?] {
    let groups = ControlGroups.own
    return groups.unified.map { KernelFile($0 + "/cpuset.cpus.effective").flatMap(setSize) }
      + groups.legacy("cpuset").map { KernelFile($0 + "/cpuset.effective_cpus").flatMap(setSize) }
  }

  /// - Parameter file: ranges of cores, such as "0-3,8".
  static func setSize(_ file: KernelFile) -> Int? {
    var size = 0
    for range in file.text.split(separator: "\n").first?.split(separator: ",") ?? [] {
      let ends = range.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
      guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first <= last else { return nil }
      size += Int(last - first) + 1
    }
    return size > 0 ? size : nil
  }

  /// - Parameter file: cpu.max, "quota period" in microseconds or "max period".
  static func unifiedQuota(_ file: KernelFile) -> Int? {
    let numbers = file.numbers
    return numbers.count == 2 ? cores(numbers[0], period: numbers[1]) : nil
  }

  /// - Parameter quota: cpu.cfs_quota_us, -1 without a limit.
  static func legacyQuota(_ quota: KernelFile?, period: KernelFile?) -> Int? {
    cores(quota?.number, period: period?.number)
  }

  /// Whole cores, at least 1: a thread beyond the quota would wait for the next period in the middle of a stage.
  private static func cores(_ quota: Int?, period: Int?) -> Int? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return max(1, quota / period)
  }
}
