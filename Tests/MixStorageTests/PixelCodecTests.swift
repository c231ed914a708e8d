import MixBasics
import Testing

@testable import MixStorage

@Suite struct PixelCodecTests {
  private func decode(_ codec: PixelCodec, _ latents: [Float], count: Int = 1) throws -> [RGBImage] {
    try latents.withUnsafeBufferPointer { try codec.decode($0, count: count) }
  }

  @Test func sizesFollowFromTheSides() throws {
    let codec = try PixelCodec(height: 8, width: 12, patch: 4)
    #expect([codec.tokenRows, codec.tokenColumns, codec.tokenCount, codec.channels] == [2, 3, 6, 48])
    #expect(codec.valuesPerImage == codec.tokenCount * codec.channels)
  }

  @Test func tokensAreOrderedAsDocumented() throws {
    let codec = try PixelCodec(height: 4, width: 6, patch: 2)
    let images = try [0, 1].map { image in
      try RGBImage(width: 6, height: 4, pixels: (0..<72).map { UInt8($0 + 100 * image) })
    }
    var latents = [Float](repeating: 0, count: 144)
    try latents.withUnsafeMutableBufferPointer { try codec.encode(images, into: $0) }
    for (image, token, patchRow, patchColumn, color) in [(0, 0, 0, 0, 0), (0, 1, 1, 0, 2), (1, 5, 1, 1, 1), (1, 3, 0, 1, 0)] {
      let y = token / 3 * 2 + patchRow
      let x = token % 3 * 2 + patchColumn
      let byte = Float(3 * (6 * y + x) + color + 100 * image)
      let value = latents[(image * 6 + token) * 12 + (patchRow * 2 + patchColumn) * 3 + color]
      #expect(abs(value - (byte / 127.5 - 1)) <= 1e-6)
    }
    #expect(try decode(codec, latents, count: 2) == images)
  }

  @Test func everyByteSurvives() {
    for byte in UInt8.min ... .max { #expect(PixelCodec.byte(PixelCodec.value(byte)) == byte) }
  }

  @Test(arguments: [(-1, 0), (1, 255), (-3, 0), (7, 255), (0, 128), (-0.996, 1), (-0.9961, 0)] as [(Float, UInt8)])
  func valuesAreClampedAndRounded(value: Float, byte: UInt8) {
    #expect(PixelCodec.byte(value) == byte)
  }

  @Test func nonFiniteValuesAreRefusedAndNothingIsWritten() throws {
    let codec = try PixelCodec(height: 1, width: 2, patch: 1)
    for value in [Float.nan, .infinity, -.infinity] {
      var pixels = [UInt8](repeating: 77, count: 6)
      let latents: [Float] = [0, 0, 0, 0, value, 0]
      let error = libraryError {
        try latents.withUnsafeBufferPointer { latents in
          try pixels.withUnsafeMutableBufferPointer { try codec.decode(latents, count: 1, into: $0) }
        }
      }
      #expect(error?.code == .notFinite && error?.message.hasPrefix("latents[4]") == true)
      #expect(pixels == [77, 77, 77, 77, 77, 77])
      #expect(libraryError { _ = try decode(codec, latents) }?.code == .notFinite)
    }
  }

  @Test func sizesThatDoNotFitAreRefused() throws {
    let codec = try PixelCodec(height: 2, width: 2, patch: 2)
    for count in [-1, 0, 2, Int.max] {
      #expect(libraryError { _ = try decode(codec, [Float](repeating: 0, count: 12), count: count) }?.code == .invalidArgument)
    }
    let other = try RGBImage(width: 1, height: 4, pixels: [UInt8](repeating: 0, count: 12))
    var latents = [Float](repeating: 0, count: 12)
    let error = libraryError { try latents.withUnsafeMutableBufferPointer { try codec.encode([other], into: $0) } }
    #expect(error?.message == "images[0]: expected 2×2, got 1×4")
  }

  @Test func impossibleCodecsAreRefused() {
    for (height, width, patch) in [(0, 4, 1), (4, -4, 1), (4, 4, 0), (4, 4, 3), (4, 6, 4), (4, 4, Int.max), (Int.max, 1, 1)] {
      #expect(libraryError { _ = try PixelCodec(height: height, width: width, patch: patch) }?.code == .invalidArgument)
    }
  }
}
