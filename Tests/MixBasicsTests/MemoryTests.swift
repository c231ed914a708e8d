import Testing

@testable import MixBasics

struct MemoryTests {
  private func code(of body: () throws(MixGRPOError) -> Void) -> MixGRPOError.Code? {
    do { try body() } catch { return error.code }
    return nil
  }

  @Test(arguments: [0, 1, 65_535, 65_536, 1 << 20])
  func smallBlocksAreThere(_ bytes: Int) {
    #expect(code { () throws(MixGRPOError) in try Memory.require(bytes: bytes) } == nil)
  }

  @Test(arguments: [-1, Int.min, Int.max, Int.max - 1, 1 << 50])
  func sizesBeyondEveryMachineAreRefused(_ bytes: Int) {
    #expect(code { () throws(MixGRPOError) in try Memory.require(bytes: bytes) } == .outOfMemory)
  }

  @Test func productThatOverflowsIsRefused() {
    #expect(code { () throws(MixGRPOError) in try Memory.require(Int.max / 2, of: 3) } == .outOfMemory)
    #expect(code { () throws(MixGRPOError) in try Memory.require(Int.max / 2 + 1, of: 2) } == .outOfMemory)
    #expect(code { () throws(MixGRPOError) in try Memory.require(1_000, of: 8) } == nil)
  }

  @Test func machineHasRoomForWhatThisProcessHolds() throws {
    #expect(try #require(MachineMemory.available) > 0)
  }

  @Test(
    arguments: [
      (nil, 5, nil), (100, nil, nil), (100, 30, 77), (100, 130, 7),
    ] as [(Int?, Int?, Int?)])
  func roomIsWhatTheLimitLeavesAndReclaimablePages(_ limit: Int?, _ used: Int?, _ rest: Int?) {
    let stat = KernelFile(text: "anon 9\nfile 7\n")
    let room = MachineMemory.room(limit: limit, used: used, reclaimable: stat, names: ["file "])
    let swap = (KernelFile("/proc/meminfo")?.number(after: "SwapFree:") ?? 0) << 10
    #expect(room == rest.map { $0 + swap })
  }
}
