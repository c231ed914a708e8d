import MixGRPO
import TestSupport
import Testing

struct HashedWordEncoderTests {
  static let prompts = [
    "a red circle at the left", "A Red,circle  AT the -- left!", "left the at circle red a", "", "…",
    "Zürich 2024: a word too many for six rows",
  ]

  @Test(arguments: prompts.indices)
  func encodesAsTheDocumentedFormulaSays(_ index: Int) throws {
    let fields = try GoldenFile.rows("words.txt")[index].split(separator: " ")
    let encoding = try HashedWordEncoder(textLength: 6, textWidth: 8, pooledWidth: 5).encode(Self.prompts[index])
    #expect(encoding.text.count == 48 && encoding.pooled.count == 5)
    #expect(checksum(encoding.text) == String(fields[0]))
    #expect(checksum(encoding.pooled) == String(fields[1]))
    #expect(encoding.text[0].bitPattern == UInt32(fields[2], radix: 16))
    #expect(encoding.pooled[0].bitPattern == UInt32(fields[3], radix: 16))
  }

  @Test func rowsPastTheLastWordAreZero() throws {
    let encoding = try HashedWordEncoder(textLength: 5, textWidth: 16, pooledWidth: 4).encode("red circle")
    #expect(encoding.text[..<32].allSatisfy { $0 != 0 })
    #expect(encoding.text[32...].allSatisfy { $0 == 0 })
  }

  @Test func valuesHaveUnitVariance() throws {
    let encoding = try HashedWordEncoder(textLength: 6, textWidth: 4096, pooledWidth: 16384)
      .encode("a red circle at the left")
    for values in [encoding.text, encoding.pooled] {
      let mean = values.reduce(0, +) / Float(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)
      #expect(abs(mean) <= 0.03)
      #expect(abs(variance - 1) <= 0.05)
    }
  }

  @Test func everyOrderOfWordsHasItsOwnRowsAndTheSamePooledVector() throws {
    let encoder = try HashedWordEncoder(textLength: 6, textWidth: 8, pooledWidth: 8)
    let (forward, backward) = (encoder.encode("red left"), encoder.encode("left red"))
    #expect(forward.text != backward.text)
    #expect(forward.pooled == backward.pooled)
  }

  @Test func namesEverySizeOutOfItsBounds() {
    #expect(
      throws: MixGRPOError(
        .invalidArgument,
        "textLength: expected 1…4096, got 0; textWidth: expected 1…16384, got -1; pooledWidth: expected 1…16384, got 99999")
    ) { try HashedWordEncoder(textLength: 0, textWidth: -1, pooledWidth: 99999) }
  }

  @Test func embedsPromptsInTheirOrder() throws {
    let encoder = try HashedWordEncoder(textLength: 4, textWidth: 8, pooledWidth: 6)
    let embeddings = try encoder.embeddings(of: ["red", "blue circle"])
    #expect(embeddings.count == 2 && embeddings.textLength == 4)
    #expect(embeddings.textWidth == 8 && embeddings.pooledWidth == 6)
    #expect(try errorCode { try encoder.embeddings(of: []) } == .invalidArgument)
  }

  private func checksum(_ values: [Float]) -> String {
    let bytes = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
    return FNV1a.hash(bytes).hexadecimal
  }
}
