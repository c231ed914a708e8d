import MixBasics
import MixFlowModel
import MixGRPO
import MixStorage

// JSON and what is written in it; prompts.

extension Reader {
  /// What was read, written and read again, is the same.
  func acceptJSON(_ input: [UInt8]) throws(MixGRPOError) {
    let document = try JSONParser.parse(input, source: "input")
    let text = try document.text()
    expect(try! JSONParser.parse(text, source: "its own text") == document, "the same document again: \(text.prefix(400))")
  }

  func acceptConfiguration(_ input: [UInt8]) throws(MixGRPOError) {
    let document = try JSONParser.parse(input, source: "input")
    guard let object = document.object else { return }
    let configuration = try FlowTransformerConfiguration(json: object, source: "input")
    expect((1...65_536).contains(configuration.width), "a width within bounds")
    let again = try FlowTransformerConfiguration(json: configuration.json, source: "its own text")
    expect(again == configuration, "the same configuration again")
  }

  /// No name leads out of the folder.
  func acceptCaptions(_ input: [UInt8]) throws(MixGRPOError) {
    scratch.write(CaptionedImageFolder.metadataName, input)
    let folder = try CaptionedImageFolder(path: scratch.path)
    for entry in folder.entries {
      let parts = entry.fileName.split(separator: "/", omittingEmptySubsequences: false)
      expect(
        !parts.contains("..") && !parts.contains("") && !parts.contains("."), "a name inside the folder: \(entry.fileName)")
    }
    _ = try folder.image(at: folder.entries.count - 1, maximumPixels: 4096)
  }

  func acceptWords(_ input: [UInt8]) throws(MixGRPOError) {
    let prompt = String(decoding: input, as: UTF8.self)
    let encoder = try HashedWordEncoder(textLength: 4, textWidth: 6, pooledWidth: 5)
    let encoding = encoder.encode(prompt)
    expect(encoding.text.count == 24 && encoding.pooled.count == 5, "sizes as asked for")
    expect((encoding.text + encoding.pooled).allSatisfy(\.isFinite), "finite embeddings")
    expect(encoder.encode(prompt) == encoding, "the same embeddings again")
    _ = try encoder.embeddings(of: [prompt, ""])
  }

  /// A log that began as `input` ends with whole lines, whatever it is given, and keeps those it had.
  func acceptMetrics(_ input: [UInt8]) throws(MixGRPOError) {
    let half = input.count / 2
    scratch.write("metrics.jsonl", Array(input[..<half]))
    let log = try MetricsLog(path: scratch.file("metrics.jsonl"))
    let line = String(decoding: input[half...], as: UTF8.self)
    let isAccepted = (try? log.append(line)) != nil
    let content = try FileAccess.read(scratch.file("metrics.jsonl"), limit: 1 << 20)
    let wholeLines = input[..<half].lastIndex(of: 10).map { input[...$0] } ?? []
    expect(content.starts(with: wholeLines), "the whole lines that were there before")
    if isAccepted { expect(content.suffix(line.utf8.count + 1).elementsEqual(Array(line.utf8) + [10]), "the line and its end") }
    expect(content.isEmpty || content.last == 10, "a whole last line")
  }
}
