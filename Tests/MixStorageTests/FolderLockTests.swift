import Foundation
import MixBasics
import Testing

@testable import MixStorage

@Suite struct FolderLockTests {
  private func refusal(_ folder: String) -> MixGRPOError? {
    #expect(throws: MixGRPOError.self) { _ = try FolderLock(folder: folder) }
  }

  @Test func aSecondLockIsRefusedAndNamesTheHolder() throws {
    let folder = TemporaryFolder()
    for _ in 0..<2 {
      let lock = try FolderLock(folder: folder.path)
      let error = refusal(folder.path)
      #expect(error?.code == .invalidState)
      #expect(error?.message.contains("in use by process \(getpid()) on ") == true)
      #expect(folder.names == [FolderLock.fileName])
      withExtendedLifetime(lock) {}
    }
    #expect(folder.names.isEmpty)
  }

  @Test func whatAKilledProcessLeftLocksNothing() throws {
    let folder = TemporaryFolder()
    for left in ["", "{\"pid\":1,\"host\":\"gone\",\"since\":\"2026-01-01T00:00:00Z\"}\n", "\u{1B}[2J"] {
      try Data(left.utf8).write(to: URL(fileURLWithPath: folder.file(FolderLock.fileName)))
      let lock = try FolderLock(folder: folder.path)
      let content = try String(contentsOfFile: folder.file(FolderLock.fileName), encoding: .utf8)
      #expect(content.hasPrefix("{\"pid\":\(getpid()),"))
      withExtendedLifetime(lock) {}
    }
  }

  @Test func aHolderThatCannotBeReadIsAnotherProcess() throws {
    let folder = TemporaryFolder()
    let lock = try FolderLock(folder: folder.path)
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file(FolderLock.fileName)))
    for content in ["", "{", "[]", "{\"pid\":\"\u{1B}[2J\"}"] {
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: Data(content.utf8))
      #expect(refusal(folder.path)?.message.contains("in use by another process;") == true)
    }
    withExtendedLifetime(lock) {}
  }
}
