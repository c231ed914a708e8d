import Glibc
import MixBasics
import Testing

@testable import MixStorage

func truncateFile(_ path: String, to size: Int) -> Bool { truncate(path, off_t(size)) == 0 }

@Suite struct FileAccessTests {
  private let folder = TemporaryFolder()

  @Test func aByteOrderMarkIsNoPartOfAText() throws {
    try folder.write([0xEF, 0xBB, 0xBF] + Array("a".utf8), to: "marked")
    try folder.write("a", to: "plain")
    for name in ["marked", "plain"] { #expect(try FileAccess.readText(folder.file(name), limit: 9) == Array("a".utf8)) }
  }

  @Test(arguments: [[0xFF, 0xFE, 0x61, 0], [0xFE, 0xFF, 0, 0x61]] as [[UInt8]])
  func aTextInUTF16IsRefusedByName(bytes: [UInt8]) throws {
    try folder.write(bytes, to: "wide")
    let error = libraryError { _ = try FileAccess.readText(folder.file("wide"), limit: 9) }
    #expect(error?.code == .invalidFormat && error?.message.contains("expected text in UTF-8, got UTF-16") == true)
  }

  @Test func aPathFromTheRootHasNoDots() throws {
    #expect(try FileAccess.absolute("/a/./b/../c//d/") == "/a/c/d")
    #expect(try FileAccess.absolute("x/../y").hasSuffix("/y"))
    #expect(try FileAccess.absolute("y").hasPrefix("/"))
    #expect(try FileAccess.absolute("/..") == "/")
  }

  @Test func aFailedWriteLeavesTheOldFileAndNothingBeside() throws {
    let path = try folder.write("old", to: "a")
    let error = libraryError {
      try AtomicFile.write(to: path) { (file) throws(MixGRPOError) in
        try file.write(Array("new".utf8))
        throw MixGRPOError(.internalFault, "stop")
      }
    }
    #expect(error?.message == "stop")
    #expect(try text(of: path) == "old")
    #expect(folder.names == ["a"])
  }

  @Test func aWriteReplacesTheFileAndNotWhatALinkPointsTo() throws {
    let target = try folder.write("target", to: "target")
    #expect(symlink(target, folder.file("link")) == 0)
    try folder.write("new", to: "link")
    #expect(try text(of: target) == "target")
    #expect(try text(of: folder.file("link")) == "new")
  }

  @Test func leftoversOfEndedProcessesGoAndThoseOfLivingOnesStay() throws {
    try folder.write("kept", to: ".mixgrpo.tmp")
    try folder.write("left", to: ".mixgrpo-0.tmp")
    try AtomicFile.write(to: folder.file("a")) { (file) throws(MixGRPOError) in
      try AtomicFile.write([2], to: folder.file("b"))
      try file.write([1])
    }
    #expect(folder.names == [".mixgrpo.tmp", "a", "b"])
  }

  @Test func whatCannotBeLookedAtIsAnErrorAndNotAbsent() throws {
    try folder.write("x", to: "file")
    #expect(symlink("loop", folder.file("loop")) == 0)
    let paths = ["file/a", "loop", "loop/a", String(repeating: "n", count: 300)].map(folder.file)
    for path in paths {
      #expect(libraryError { _ = try FileAccess.isPresent(path) }?.code == .inputOutput)
      #expect(libraryError { _ = try FileAccess.isFolder(path) }?.code == .inputOutput)
      #expect(libraryError { _ = try WeightFolder.holdsModel(path) }?.code == .inputOutput)
      let files = NumberedFiles(folder: path, prefix: "n-", suffix: ".x")
      #expect(libraryError { _ = try files.numbers() }?.code == .inputOutput)
    }
    #expect(try !FileAccess.isPresent(folder.file("none/a")))
  }

  @Test func anotherHoldersLockEndsTheWaitWithAnErrorThatSaysSo() throws {
    let path = try folder.write("{}\n", to: "log")
    let other = try OpenFile(path, flags: O_RDWR, wanted: "a file")
    #expect(try other.tryLock(.exclusive))
    let file = try OpenFile(path, flags: O_RDWR, wanted: "a file")
    #expect(try !file.tryLock(.shared))
    let error = libraryError { try file.lock(.shared, seconds: 0.02) }
    #expect(error?.code == .inputOutput && error?.message.contains("another process or thread holds it") == true)
    other.unlock()
    try file.lock(.shared, seconds: 0.02)
  }

  @Test func numberedFilesAreFoundByTheirNumbers() throws {
    let files = NumberedFiles(folder: folder.path, prefix: "n-", suffix: ".x")
    let none = NumberedFiles(folder: folder.file("none"), prefix: "n-", suffix: ".x")
    for number in [7, 123_456_789, 0] { try AtomicFile.write([1], to: files.path(number)) }
    for name in ["n-7.x", "n-00000008.y", "m-00000008.x", "n-+0000008.x", "n--0000008.x", "n-.x"] {
      try folder.write("", to: name)
    }
    #expect(try files.numbers() == [0, 7, 123_456_789])
    #expect(try none.numbers().isEmpty)
  }

  @Test func foldersDevicesAndMissingFoldersAreNoTargets() throws {
    for path in [folder.path, folder.path + "/", "/dev/null", folder.file("none/a")] {
      let error = libraryError { try AtomicFile.write([1], to: path) }
      #expect(error?.code == .inputOutput && error?.message.hasPrefix(path) == true)
    }
    #expect(folder.names.isEmpty)
  }

  @Test func foldersAreMadeWithAllAbove() throws {
    try FileAccess.createFolder(folder.file("a/b//c/"))
    try FileAccess.createFolder(folder.file("a/b"))
    try folder.write("x", to: "a/b/c/file")
    let error = libraryError { try FileAccess.createFolder(folder.file("a/b/c/file/d")) }
    #expect(error?.code == .inputOutput && error?.message.hasPrefix(folder.file("a/b/c/file")) == true)
  }

  @Test func aPipeIsRefusedAndNotWaitedFor() {
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(libraryError { _ = try ReadableFile(path: folder.file("pipe")) }?.code == .inputOutput)
  }

  @Test func readingStopsAtTheLimit() throws {
    let path = try folder.write([1, 2, 3], to: "a")
    #expect(try FileAccess.read(path, limit: 3) == [1, 2, 3])
    #expect(libraryError { _ = try FileAccess.read(path, limit: 2) }?.code == .invalidFormat)
  }

  @Test(arguments: [
    ("a.png", true), ("a/b.png", true), ("..a", true), ("/a", false), ("a/", false), ("a//b", false), ("../a", false),
    ("a/../b", false), ("./a", false), ("", false), ("a\0b", false),
  ])
  func onlyPathsInsideTheFolderAreTaken(path: String, isInside: Bool) {
    #expect(FileAccess.staysInside(path) == isInside)
  }

  /// The default of SIGXFSZ would end the process.
  @Test func aFileSizeLimitIsAnErrorAndNotTheEndOfTheProcess() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      let path = try folder.write("old", to: "a")
      var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
      setrlimit(Int32(RLIMIT_FSIZE.rawValue), &limit)
      let error = libraryError { try AtomicFile.write([UInt8](repeating: 1, count: 5000), to: path) }
      let log = try MetricsLog(path: folder.file("log"))
      let line = "[" + String(repeating: "1,", count: 450) + "1]"
      try log.append(line)
      let second = libraryError { try log.append(line) }
      #expect(error?.message == "\(path): expected room for 5000 bytes, got File too large")
      #expect(try text(of: path) == "old")
      #expect(second?.code == .inputOutput)
      #expect(try text(of: folder.file("log")) == line + "\n")
      #expect(folder.names == ["a", "log"])
    }
  }
}

@Suite struct MetricsLogTests {
  private let folder = TemporaryFolder()

  @Test func linesAreAppendedWhole() throws {
    let path = folder.file("metrics.jsonl")
    try MetricsLog(path: path).append(["iteration": 1, "reward": 0.5])
    try MetricsLog(path: path).append(#"{"iteration": 2}"#)
    #expect(try text(of: path) == "{\"iteration\":1,\"reward\":0.5}\n{\"iteration\": 2}\n")
  }

  /// An incomplete object is removed; complete lines and lines of other programs stay.
  @Test(arguments: [
    ("{}\n{\"iter", "{}\n"), ("{\"iter", ""), ("{\"iteration\":1}", "{\"iteration\":1}\n"), ("notes", "notes\n"),
    ("{}\n", "{}\n"), ("", ""),
  ])
  func linesAreWholeOrAbsent(before: String, kept: String) throws {
    let path = try folder.write(before, to: "metrics.jsonl")
    try MetricsLog(path: path).append(["iteration": 2])
    #expect(try text(of: path) == kept + "{\"iteration\":2}\n")
  }

  @Test func aLineThatAnotherProcessIsWritingIsLeftAlone() throws {
    let path = try folder.write("{\"iter", to: "metrics.jsonl")
    let other = open(path, O_RDWR)
    defer { close(other) }
    #expect(flock(other, LOCK_SH) == 0)
    _ = try MetricsLog(path: path)
    #expect(try text(of: path) == "{\"iter")
  }

  @Test func whatIsNoLineIsRefusedAndNotWritten() throws {
    let path = folder.file("metrics.jsonl")
    let log = try MetricsLog(path: path)
    #expect(libraryError { try log.append("{") }?.code == .invalidFormat)
    #expect(libraryError { try log.append("{\n}") }?.code == .invalidArgument)
    #expect(libraryError { try log.append(["a": .number(.nan)]) }?.code == .notFinite)
    #expect(try text(of: path).isEmpty)
  }

  @Test func linesOfManyThreadsDoNotMix() async throws {
    let path = folder.file("metrics.jsonl")
    let log = try MetricsLog(path: path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask {
          for line in 0..<50 { try log.append(["writer": .integer(Int64(writer)), "line": .integer(Int64(line))]) }
        }
      }
      try await group.waitForAll()
    }
    let lines = try text(of: path).split(separator: "\n")
    #expect(lines.count == 400)
    for line in lines { #expect(throws: Never.self) { try JSONParser.parse(String(line), source: "line") } }
  }

  @Test func aFullDiskIsAnErrorThatNamesThePath() throws {
    let log = try MetricsLog(path: "/dev/full")
    let error = libraryError { try log.append("{}") }
    #expect(error?.code == .inputOutput)
    #expect(error?.message == "/dev/full: expected room for 3 bytes, got No space left on device")
  }

  @Test func anUnusablePathIsAnErrorThatNamesIt() {
    for path in [folder.path, folder.file("none/metrics.jsonl")] {
      let error = libraryError { _ = try MetricsLog(path: path) }
      #expect(error?.code == .inputOutput && error?.message.hasPrefix(path) == true)
    }
  }
}
