import MixGRPO

/// A folder of PNGs with captions, held in memory.
struct CaptionedPictures {
  let height: Int
  let width: Int
  /// Distinct captions, in file order.
  let captions: [String]
  private let pictures: [(picture: RGBImage, caption: Int)]
  private let seed: UInt64

  /// - Throws: the errors of reading; `invalidArgument` for a picture whose size differs from the first.
  init(path: String, seed: UInt64) throws(MixGRPOError) {
    let folder = try CaptionedImageFolder(path: path)
    var number: [String: Int] = [:]
    var captions: [String] = []
    var pictures: [(picture: RGBImage, caption: Int)] = []
    for (index, entry) in folder.entries.enumerated() {
      if number[entry.caption] == nil {
        number[entry.caption] = captions.count
        captions.append(entry.caption)
      }
      let picture = try folder.image(at: index)
      let first = pictures.first?.picture ?? picture
      guard picture.width == first.width, picture.height == first.height else {
        throw .invalid(
          entry.fileName, expected: "\(first.width)×\(first.height) pixels as the first picture",
          got: "\(picture.width)×\(picture.height)")
      }
      pictures.append((picture, number[entry.caption] ?? 0))
    }
    (height, width) = (pictures.first?.picture.height ?? 0, pictures.first?.picture.width ?? 0)
    (self.captions, self.pictures, self.seed) = (captions, pictures, seed)
  }

  var count: Int { pictures.count }

  /// The picture that training uses as its `number`-th. Depends only on the number and the seed.
  func draw(_ number: Int) -> (picture: RGBImage, caption: Int) {
    var random = SplitMix64(key: "picture \(number) of \(seed)".utf8)
    return pictures[random.below(UInt32(clamping: pictures.count))]
  }
}
