import Testing

@testable import MixBasics

@Suite struct PrintableTests {
  @Test func whatATerminalWouldObeyIsEscapedAndTheRestStays() {
    for value in [
      0x00, 0x07, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x9B, 0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202E, 0x2066, 0x2069,
    ] {
      let text = Unicode.Scalar(UInt32(value)).map { "a\(Character($0))b" } ?? ""
      let wanted = "a\\u{\(String(value, radix: 16))}b"
      #expect(Printable.text(text) == wanted)
      #expect(MixGRPOError(.invalidFormat, text).message == wanted)
      #expect(Printable.text(wanted) == wanted)
    }
    #expect(Printable.text("é ● 🌙 a\\b") == "é ● 🌙 a\\b")
    #expect(Printable.lines("a\u{1B}\nb\u{202E}\n") == "a\\u{1b}\nb\\u{202e}\n")
  }

  @Test func messagesAreBoundedAfterEscaping() {
    for text in [String(repeating: "a", count: 10_000), String(repeating: "\u{9B}", count: 4_000)] {
      let message = MixGRPOError(.invalidFormat, text).message
      #expect(message.utf8.count <= 8192 && message.hasSuffix("…"))
    }
  }
}
