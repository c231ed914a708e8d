import MixGRPO

/// The texts and the scale of the PNGs that the command writes.
enum PictureText {
  /// The prompt of a picture.
  static func prompt(_ prompt: String) throws(MixGRPOError) -> [PNGText] { [try PNGText(keyword: "prompt", text: prompt)] }

  /// The prompts of a grid, under a keyword each, because programs such as Pillow keep one text of a keyword: "prompt 1" and so on,
  /// in the order of the rows or, in a grid with a picture for each, of the pictures.
  static func prompts(_ prompts: some Sequence<String>) throws(MixGRPOError) -> [PNGText] {
    var texts: [PNGText] = []
    for (index, prompt) in prompts.enumerated() { texts.append(try PNGText(keyword: "prompt \(index + 1)", text: prompt)) }
    return texts
  }

  static func settings(_ settings: [(String, String)]) throws(MixGRPOError) -> [PNGText] {
    var texts: [PNGText] = []
    for (keyword, text) in settings { texts.append(try PNGText(keyword: keyword, text: text)) }
    return texts
  }
}

enum PictureScale {
  /// Pixels between the pictures of a grid.
  static let gap = 4

  /// A scale that makes small pictures about a hundred pixels wide.
  static func fitting(_ codec: PixelCodec) -> Int { max(1, 96 / codec.width) }
}
