import MixBasics
import TestSupport
import Testing

@testable import MixStorage

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(text, source: "test") }

  @Test func everyKindOfValueIsRead() throws {
    let value = try parse(#" {"a": [1, -2.5, 3e2, true, false, null], "b": {"c": "d"}, "e": {}, "f": []} "#)
    let wanted: JSONValue = ["a": [1, -2.5, 300.0, true, false, nil], "b": ["c": "d"], "e": [:], "f": []]
    #expect(value == wanted)
  }

  @Test func wholeNumbersKeepAllBits() throws {
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("-9223372036854775808") == .integer(.min))
    #expect(try parse("9223372036854775808") == .number(0x1p63))
    let negativeZero = try #require(try parse("-0").double)
    #expect(negativeZero.sign == .minus)
  }

  @Test(arguments: [
    (#""\u00e9\n\t\"\\\/\b\f\r""#, "é\n\t\"\\/\u{8}\u{c}\r"), (#""\ud83d\ude00""#, "😀"), (#""grün ●""#, "grün ●"),
  ])
  func stringsAreUnescaped(document: String, wanted: String) throws {
    #expect(try parse(document) == .string(wanted))
  }

  @Test(arguments: [
    "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "-", "+1", "1.", ".5", "1e",
    "0x1",
    "NaN", "Infinity", "-Infinity", "nul", "truee", "1 2", "[] x", "'a'", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
    "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"a\nb\"", "1e999", "{\"a\":1,\"a\":2}", "\u{FEFF}1",
  ])
  func whatIsNotJSONIsRefused(document: String) {
    #expect(libraryError { _ = try parse(document) }?.code == .invalidFormat)
  }

  @Test(arguments: [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xE2, 0x97, 0x22]])
  func invalidUTF8IsRefused(bytes: [UInt8]) {
    #expect(libraryError { _ = try JSONParser.parse(bytes, source: "test") }?.code == .invalidFormat)
  }

  @Test func nestingBeyondTheLimitIsAnErrorAndNotACrash() throws {
    for opening in ["[", "{\"a\":"] {
      let bomb = String(repeating: opening, count: 1_000_000)
      #expect(libraryError { _ = try parse(bomb) }?.message.contains("at most 64 levels") == true)
    }
    #expect(throws: Never.self) { try parse(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) }
    let nested = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
    #expect(try errorCode { try parse(nested) } == .invalidFormat)
  }

  @Test func moreValuesThanTheLimitAreRefused() {
    let bytes =
      Array("[".utf8) + Array(repeating: Array("0,".utf8), count: JSONParser.maximumValues).joined() + Array("0]".utf8)
    #expect(libraryError { _ = try JSONParser.parse(bytes, source: "test") }?.code == .invalidFormat)
  }

  @Test func errorsNameTheDocumentThePlaceAndWhatCame() {
    let error = libraryError { _ = try JSONParser.parse("[1 2]", source: "folder/config.json") }
    #expect(error?.message == "folder/config.json: expected ',' or ']' at byte 3, got '2'")
  }

  @Test func compactTextIsExactlyThis() throws {
    let value: JSONValue = ["b": [1, 0.1, -0.0, nil], "a": "\"\\\n\u{1}é"]
    #expect(try value.text() == "{\"b\":[1,0.1,-0.0,null],\"a\":\"\\\"\\\\\\n\\u0001é\"}")
  }

  @Test func indentedTextIsExactlyThis() throws {
    let value: JSONValue = ["a": [1, 2], "b": [:], "c": []]
    #expect(try value.text(.indented) == "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}")
  }

  @Test func numbersReadBackWithTheSameBits() throws {
    var random = SystemRandomNumberGenerator()
    var values: [Double] = [.leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 1e16, 1e-5, 0.1, 1 / 3]
    for _ in 0..<1000 { values.append(Double(bitPattern: random.next())) }
    for value in values where value.isFinite {
      let back = try #require(try parse(try JSONValue.number(value).text()).double)
      #expect(back.bitPattern == value.bitPattern)
    }
  }

  @Test func nonFiniteNumbersAreRefused() {
    for value in [Double.nan, .infinity, -.infinity] {
      #expect(libraryError { _ = try JSONValue.array([.number(value)]).text() }?.code == .notFinite)
      #expect(JSONValue.measurement(value) == .null)
    }
  }

  @Test func objectsKeepTheirOrder() throws {
    var object = try #require(try parse(#"{"z":1,"a":2,"m":3}"#).object)
    object["a"] = nil
    object["z"] = 4
    object["b"] = 5
    #expect(try JSONValue.object(object).text() == #"{"z":4,"m":3,"b":5}"#)
  }
}
