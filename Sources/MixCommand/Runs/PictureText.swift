import MixGRPO

/// What a PNG tells of itself.
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
  /// Small pictures are shown about a hundred pixels wide.
  static func fitting(_ codec: PixelCodec) -> Int { max(1, 96 / codec.width) }
}
