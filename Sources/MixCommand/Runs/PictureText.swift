import MixGRPO

/// The texts and the scale of the PNGs that the command writes.
enum PictureText {
  static func prompts(_ prompts: some Sequence<String>) throws(MixGRPOError) -> [PNGText] {
    var texts: [PNGText] = []
    for prompt in prompts { texts.append(try PNGText(keyword: "prompt", text: prompt)) }
    return texts
  }

  static func settings(_ settings: [(String, String)]) throws(MixGRPOError) -> [PNGText] {
    var texts: [PNGText] = []
    for (keyword, text) in settings { texts.append(try PNGText(keyword: keyword, text: text)) }
    return texts
  }
}

enum PictureScale {
  /// A scale that makes small pictures about a hundred pixels wide.
  static func fitting(_ codec: PixelCodec) -> Int { max(1, 96 / codec.width) }
}
