import MixBasics
import Testing

@testable import MixStorage

@Suite struct CaptionedImageFolderTests {
  private let folder = TemporaryFolder()

  @Test func captionsAndPicturesAreRead() throws {
    try FileAccess.createFolder(folder.file("train"))
    try folder.write(try content(of: fixture("rgb.png")), to: "train/1.png")
    let lines =
      "{\"file_name\": \"train/1.png\", \"text\": \"a \\u25cf\", \"more\": [1]}\r\n\n{\"text\":\"b\",\"file_name\":\"2.png\"}"
    try folder.write(lines, to: "metadata.jsonl")
    let images = try CaptionedImageFolder(path: folder.path)
    #expect(images.entries.map(\.caption) == ["a ●", "b"])
    #expect(try images.image(at: 0) == PNG.read(path: fixture("rgb.png")))
    #expect(libraryError { _ = try images.image(at: 1) }?.code == .inputOutput)
    #expect(libraryError { _ = try images.image(at: 2) }?.code == .invalidArgument)
  }

  @Test(arguments: [
    ("", "expected at least one line"), ("{}\n", "line 1: file_name: expected a string, got none"),
    ("{\"file_name\":\"a\",\"text\":\"b\"}\n{\"file_name\":\"a\",\"text\":null}", "line 2: text: expected a string, got null"),
    ("[]", "line 1: expected an object, got an array"), ("{\"file_name\"", "line 1: expected ':'"),
    ("{\"file_name\":\"../a.png\",\"text\":\"b\"}", "file_name: expected a path inside the folder, got \"../a.png\""),
    ("{\"file_name\":\"/etc/a.png\",\"text\":\"b\"}", "expected a path inside the folder"),
    ("{\"file_name\":\"a/../../b.png\",\"text\":\"b\"}", "expected a path inside the folder"),
  ])
  func brokenMetadataIsRefusedByLine(lines: String, message: String) throws {
    try folder.write(lines, to: "metadata.jsonl")
    let error = libraryError { _ = try CaptionedImageFolder(path: folder.path) }
    #expect(error?.code == .invalidFormat && error?.message.contains(message) == true)
  }

  @Test func aCaptionMayStandInPlaceOfTheText() throws {
    let lines =
      "\u{FEFF}{\"file_name\":\"1.png\",\"caption\":\"a\"}\n{\"file_name\":\"2.png\",\"caption\":\"b\",\"text\":\"c\"}"
    try folder.write(lines, to: "metadata.jsonl")
    #expect(try CaptionedImageFolder(path: folder.path).entries.map(\.caption) == ["a", "c"])
  }

  @Test func theFirstFiveProblemsAreReportedAtOnce() throws {
    let lines = (0..<8).map { $0 == 2 ? "{\"file_name\":\"a\",\"text\":\"b\"}" : "{\"file_name\":\"a\",\"label\":\"b\"}" }
    try folder.write(lines.joined(separator: "\n"), to: "metadata.jsonl")
    let message = libraryError { _ = try CaptionedImageFolder(path: folder.path) }?.message ?? ""
    for line in [1, 2, 4, 5, 6] {
      #expect(message.contains("line \(line): text: expected a string, got none among \"file_name\", \"label\""), "\(message)")
    }
    #expect(message.hasSuffix("; and 2 more problems") && !message.contains("line 3:"))
  }

  @Test func aFolderWithoutMetadataIsAnInputOutputError() {
    #expect(libraryError { _ = try CaptionedImageFolder(path: folder.path) }?.code == .inputOutput)
  }
}
