import MixBasics
import Testing

@testable import MixStorage

@Suite struct PictureFormatTests {
  private let folder = TemporaryFolder()

  init() throws { try folder.write("{}", to: "config.json") }

  @Test func aFormatComesBackFromItsFolder() throws {
    for format in [
      PictureFormat(height: 32, width: 48, patch: 4, textLength: 16),
      PictureFormat(height: 8, width: 8, patch: 1, textLength: nil),
    ] {
      try format.write(to: folder.path)
      #expect(try PictureFormat.read(of: folder.path) == format)
    }
  }

  @Test func aModelWithoutTheFileHasNone() throws {
    #expect(try PictureFormat.read(of: folder.path) == nil)
  }

  @Test func theTransformerOfAPipelineIsAsked() throws {
    try FileAccess.createFolder(folder.file("pipeline/transformer"))
    try folder.write("{}", to: "pipeline/transformer/config.json")
    let format = PictureFormat(height: 32, width: 32, patch: 4, textLength: 16)
    try format.write(to: folder.file("pipeline/transformer"))
    #expect(try PictureFormat.read(of: folder.file("pipeline")) == format)
  }

  @Test(arguments: [
    ("[]", "expected an object"), ("{\"height\": 32, \"width\": 32}", "patch: expected 1…65535, got none"),
    ("{\"height\": 0, \"width\": 32, \"patch\": 4}", "height: expected 1…65535, got 0"),
    ("{\"height\": 8, \"width\": 8, \"patch\": 4, \"text_length\": \"x\"}", "text_length: expected 1…65535, got \"x\""),
  ])
  func aFileThatIsNoFormatIsRefused(text: String, message: String) throws {
    try folder.write(text, to: PictureFormat.fileName)
    let error = libraryError { _ = try PictureFormat.read(of: folder.path) }
    #expect(error?.code == .invalidFormat && error?.message.contains(message) == true, "\(String(describing: error))")
  }
}
