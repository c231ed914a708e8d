import Testing

@testable import MixBasics

struct ControlGroupTests {
  @Test func groupOfVersion2ComesWithAllAboveIt() {
    #expect(
      ControlGroups(list: "0::/user.slice/job\n").unified == [
        "/sys/fs/cgroup/user.slice/job", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup",
      ])
  }

  @Test func groupOfVersion1IsFoundByItsController() {
    let groups = ControlGroups(list: "5:cpu,cpuacct:/a\n4:cpuset:/b\n3:memory:/c\n0::/\n")
    #expect(groups.legacy("cpu") == ["/sys/fs/cgroup/cpu/a", "/sys/fs/cgroup/cpu"])
    #expect(groups.legacy("memory") == ["/sys/fs/cgroup/memory/c", "/sys/fs/cgroup/memory"])
    #expect(groups.unified == ["/sys/fs/cgroup"])
    #expect(groups.legacy("io").isEmpty)
  }

  @Test(arguments: ["", "\n", "0:\n", "nonsense"])
  func linesOfAnotherShapeAreSkipped(_ list: String) {
    let groups = ControlGroups(list: list)
    #expect(groups.unified.isEmpty && groups.legacy("cpu").isEmpty)
  }

  @Test func pathMayHoldColons() {
    #expect(ControlGroups(list: "0::/a:b\n").unified.first == "/sys/fs/cgroup/a:b")
  }

  @Test func fileThatIsMissingIsNone() {
    #expect(KernelFile("/nowhere/cpu.max") == nil)
  }

  @Test func numbersFollowNames() {
    let table = KernelFile(text: "MemTotal:  9 kB\nMemAvailable:    123 kB\n")
    #expect(table.number(after: "MemAvailable:") == 123)
    #expect(table.number(after: "Available:") == nil)
    #expect(KernelFile(text: "max\n").number == nil)
    #expect(KernelFile(text: "4096\n").number == 4_096)
  }
}
