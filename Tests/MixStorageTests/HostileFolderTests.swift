import Glibc
import Testing

@testable import MixBasics
@testable import MixStorage

/// An untrusted folder: its content may cost neither time nor memory, nor reach anything outside of it.
@Suite struct HostileFolderTests {
  private let folder = TemporaryFolder()

  private func code(_ body: () throws -> Void) -> MixGRPOError.Code? { libraryError(body)?.code }

  @Test func aFileOfATebibyteIsRefusedUnread() throws {
    try folder.write("{}", to: WeightFolder.configurationName)
    #expect(truncateFile(folder.file(WeightFolder.configurationName), to: 1 << 40))
    #expect(code { _ = try WeightFolder(path: folder.path) } == .invalidFormat)
    #expect(code { _ = try PNG.read(path: folder.file(WeightFolder.configurationName)) } == .invalidFormat)
  }

  @Test(arguments: ["config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json"])
  func aPipeInPlaceOfAFileIsRefusedAndNotWaitedFor(name: String) throws {
    for good in ["config.json", "diffusion_pytorch_model.safetensors"] where good != name { try folder.write("{}", to: good) }
    #expect(mkfifo(folder.file(name), 0o600) == 0)
    #expect(code { _ = try WeightFolder(path: folder.path) } == .inputOutput)
  }

  @Test(arguments: ["/dev/zero", "/dev/stdin", "/"])
  func aLinkToADeviceOrAFolderIsRefused(target: String) throws {
    try folder.write("{}", to: WeightFolder.configurationName)
    #expect(symlink(target, folder.file(WeightFolder.weightsName)) == 0)
    #expect(code { _ = try WeightFolder(path: folder.path) } == .inputOutput)
  }

  /// As caches of downloaded models are made of links, a link to a regular file is read.
  @Test func aLinkToARegularFileIsRead() throws {
    try folder.write(#"{"a":1}"#, to: "elsewhere.json")
    #expect(symlink("elsewhere.json", folder.file("link.json")) == 0)
    #expect(try FileAccess.read(folder.file("link.json"), limit: 100).count == 7)
  }

  @Test func anIndexOfTooManyShardsOpensNone() throws {
    let map = (0...ShardIndex.maximumShards).map { #""t\#($0)":"s\#($0)""# }.joined(separator: ",")
    let error = libraryError { _ = try ShardIndex(Array(#"{"weight_map":{\#(map)}}"#.utf8), source: "index") }
    #expect(error?.code == .invalidFormat && error?.message.contains("512 files") == true)
  }

  @Test func aPictureOfCountlessTextsKeepsTheFirst() throws {
    let image = try RGBImage(width: 1, height: 1, pixels: [1, 2, 3])
    let texts = try (0..<3000).map { try PNGText(keyword: "k", text: "\($0)") }
    let read = try PNG.text(in: try PNG.encode(image, text: texts))
    #expect(read.count == 1024 && read.last?.text == "1023")
  }

  @Test func aPipeIsNoMetricsLog() {
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    #expect(code { _ = try MetricsLog(path: folder.file("pipe")) } == .inputOutput)
  }

  @Test func aPlantedLinkIsReplacedAndItsTargetUntouched() throws {
    let victim = try folder.write("precious", to: "victim")
    #expect(symlink(victim, folder.file("out.png")) == 0)
    try PNG.write(try RGBImage(width: 1, height: 1, pixels: [1, 2, 3]), to: folder.file("out.png"))
    #expect(try text(of: victim) == "precious")
    #expect(folder.names == ["out.png", "victim"])
  }
}

@Suite struct ErrorMessageTests {
  @Test func messagesAreOneLineWithoutControlCharacters() {
    let error = MixGRPOError(.invalidFormat, "name: got \"a\nb\u{1B}[31m\u{7F}é\"")
    #expect(error.message == #"name: got "a\u{a}b\u{1b}[31m\u{7f}é""#)
  }

  @Test func messagesAreShort() {
    let error = MixGRPOError(.invalidFormat, String(repeating: "é", count: 1_000_000))
    #expect(error.message.utf8.count < 9000 && error.message.hasSuffix("…"))
  }
}

@Suite struct MemoryTests {
  @Test func moreMemoryThanAnyMachineHasIsRefused() {
    for bytes in [-1, Int.max, 1 << 50] {
      #expect(libraryError { try Memory.require(bytes: bytes) }?.code == .outOfMemory)
    }
    #expect(libraryError { try Memory.require(Int.max, of: 4) }?.code == .outOfMemory)
  }

  @Test func availableMemoryIsNotRefused() throws {
    for bytes in [0, 1, 1 << 16, 1 << 27] { try Memory.require(bytes: bytes) }
  }

  @Test func theMachineReportsItsMemory() throws {
    let available = try #require(MachineMemory.available)
    let installed = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    #expect(available > 1 << 27 && available <= 16 * installed)
  }
}
