import Glibc
import Testing

@testable import MixBasics

@Suite(.serialized) struct FloatStorageTests {
  /// Pages of the block that are in memory.
  private func residentPages(_ storage: FloatStorage) -> Int {
    let bytes = storage.count * MemoryLayout<Float>.stride
    let first = Int(bitPattern: storage.base) / 4096 * 4096
    var pages = [UInt8](repeating: 0, count: bytes / 4096)
    guard mincore(UnsafeMutableRawPointer(bitPattern: first), bytes / 4096 * 4096, &pages) == 0 else { return -1 }
    return pages.count { $0 & 1 != 0 }
  }

  @Test(arguments: [0, 1, 1000, 1 << 20, 1 << 24], [false, true])
  func everyBlockIsAlignedAndZero(count: Int, isWrittenLater: Bool) throws {
    let storage = try FloatStorage(count: count, isWrittenLater: isWrittenLater)
    #expect(storage.count == count && Int(bitPattern: storage.base) % 64 == 0)
    #expect(storage.buffer.allSatisfy { $0 == 0 })
    storage.buffer.update(repeating: 1)
    storage.zero()
    #expect(storage.buffer.allSatisfy { $0 == 0 })
  }

  @Test func aBlockThatIsWrittenLaterTakesNoPagesUntilThen() throws {
    let storage = try FloatStorage(count: 1 << 26, isWrittenLater: true)
    #expect(residentPages(storage) == 0 && storage.promised == 1 << 28)
    storage.base[1 << 25] = 1
    #expect((1...512).contains(residentPages(storage)))
    #expect(residentPages(try FloatStorage(count: 1 << 24)) == 1 << 14)
  }

  @Test func promisedPagesCountAsTakenUntilTheyAreSettledOrFreed() throws {
    let most = try #require(MachineMemory.available) / 10 * 6
    func isFree() -> Bool { (try? Memory.require(bytes: most)) != nil }
    var storage: FloatStorage? = try FloatStorage(count: most / 4, isWrittenLater: true)
    #expect(!isFree())
    storage = nil
    #expect(isFree())
    storage = try FloatStorage(count: most / 4, isWrittenLater: true)
    storage?.settle()
    storage?.settle()
    #expect(isFree() && storage?.promised == 0)
  }

  @Test(arguments: [-1, Int.max, 1 << 60], [false, true])
  func impossibleSizesAreRefused(count: Int, isWrittenLater: Bool) {
    let error = #expect(throws: MixGRPOError.self) { try FloatStorage(count: count, isWrittenLater: isWrittenLater) }
    #expect(error?.code == (count == 1 << 60 ? .outOfMemory : .invalidArgument))
  }
}
