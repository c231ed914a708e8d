import MixBasics
import Testing

@testable import MixStorage

@Suite struct UnfitInputTests {
  @Test func aTextOfAnImageHasAtMostFourMebibytes() throws {
    let most = 4 << 20
    #expect(try PNGText(keyword: "Title", text: String(repeating: "a", count: most)).text.utf8.count == most)
    let error = libraryError { _ = try PNGText(keyword: "Title", text: String(repeating: "a", count: most + 1)) }
    #expect(error?.message.contains("text: expected at most \(most) bytes") == true)
  }

  @Test(arguments: [
    ("zTXt", "Title\0\0x"), ("tEXt", "Title"), ("tEXt", "\0text"), ("tEXt", "Title\0a\0b"), ("iTXt", "Title\0\0\0"),
    ("iTXt", "Title\0\u{1}\0\0\0text"), ("iTXt", "Title\0\0\0en"), ("iTXt", "Title\0\0\0en\0Titel"),
  ])
  func aMalformedTextChunkIsNoText(type: String, content: String) {
    let bytes = Array(content.utf8)
    #expect(bytes.withUnsafeBytes { PNGText.read(type: type, data: $0) } == nil)
  }

  @Test func textChunksAreReadInBothEncodings() throws {
    let latin = try #require(
      Array("Title\0grün".unicodeScalars.map { UInt8($0.value) }).withUnsafeBytes {
        PNGText.read(type: "tEXt", data: $0)
      })
    #expect(latin.keyword == "Title" && latin.text == "grün")
    let international = Array("Title\0\0\0de\0Titel\0grün".utf8).withUnsafeBytes { PNGText.read(type: "iTXt", data: $0) }
    #expect(international?.text == "grün")
  }

  @Test func jsonIsWrittenToALimitedDepth() throws {
    var value = JSONValue.null
    for _ in 0..<JSONParser.maximumDepth { value = .array([value]) }
    #expect(try value.text().count == 2 * JSONParser.maximumDepth + 4)
    let error = libraryError { _ = try JSONValue.array([value]).text() }
    #expect(error?.message.contains("json: expected at most") == true)
    #expect(libraryError { _ = try JSONValue.number(.nan).text() }?.code == .notFinite)
  }

  @Test func jsonTextEscapesWhatItMust() throws {
    let text = "\t\r\n\"\\\u{1}é"
    let written = try JSONValue.string(text).text()
    #expect(written.hasPrefix("\"\\t\\r\\n\\\"\\\\\\u0001") && !written.contains("\t"))
    #expect(try JSONParser.parse(written, source: "text").string == text)
  }

  @Test func aValueNamesItsKind() {
    let values: [JSONValue] = [.null, true, 1, 1.5, "a", [], .object([:])]
    #expect(
      values.map(\.kind) == ["null", "a boolean", "a whole number", "a number", "a string", "an array", "an object"])
    var object: JSONObject = ["a": 1]
    object["b"] = nil
    #expect(object == ["a": 1])
    object["a"] = nil
    #expect(object.members.isEmpty)
  }

  @Test(arguments: [(-1, 1), (0, -1), (4, 1), (0, 4), (.max, 1), (1, .max)])
  func bytesOutsideAFileAreNotRead(offset: Int, count: Int) throws {
    let folder = TemporaryFolder()
    let file = try ReadableFile(path: try folder.write([1, 2, 3], to: "three"))
    #expect(try file.bytes(at: 1, count: 2) == [2, 3] && file.bytes(at: 3, count: 0).isEmpty)
    #expect(libraryError { _ = try file.bytes(at: offset, count: count) }?.message.contains("a file of 3") == true)
  }

  @Test func eventsContinueFromAStepOfAtLeastZero() {
    let folder = TemporaryFolder()
    let error = libraryError { _ = try TensorBoardLog(folder: folder.file("events"), continuedFrom: -1) }
    #expect(error?.message.contains("step: expected 0 or more, got -1") == true && folder.names.isEmpty)
  }

  @Test func aPathNamesItsFolder() {
    #expect(["a/b", "/a", "a", "/", "a//b"].map(FileAccess.folder(of:)) == ["a", "/", ".", "/", "a/"])
  }
}
