import MixBasics

/// An image with replaceable text entries.
package final class AnnotatedImage {
  /// An entry, and its keyword and text as C strings.
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

  /// Replaces all entries; an error leaves them unchanged.
  /// - Throws: `outOfMemory`.
  package func set(_ texts: [PNGText]) throws(MixGRPOError) {
    var entries: [Entry] = []
    for text in texts { entries.append(try Entry(text)) }
    self.texts = entries
  }
}
