import MixBasics

/// An image with text entries that may be replaced.
package final class AnnotatedImage {
  /// An entry, and the same as C strings.
  package struct Entry {
    package let text: PNGText
    package let cTexts: (key: CText, value: CText)

    init(_ text: PNGText) throws(MixGRPOError) {
      self.text = text
      cTexts = (try CText(text.keyword), try CText(text.text))
    }
  }

  package let pixels: RGBImage
  package private(set) var texts: [Entry] = []

  /// - Throws: `outOfMemory`.
  package init(_ pixels: RGBImage, texts: [PNGText]) throws(MixGRPOError) {
    self.pixels = pixels
    try set(texts)
  }

  /// Replaces all entries; changes nothing when it throws.
  /// - Throws: `outOfMemory`.
  package func set(_ texts: [PNGText]) throws(MixGRPOError) {
    var entries: [Entry] = []
    for text in texts { entries.append(try Entry(text)) }
    self.texts = entries
  }
}
