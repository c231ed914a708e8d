import ProceduralWorld

/// An endless supply of captioned pictures of one size.
protocol CaptionedPictures {
  var height: Int { get }
  var width: Int { get }
  /// All captions there are, each once.
  var captions: [String] { get }
  /// Picture `number` and the index of its caption: a function of the number and the source's seed alone.
  func draw(_ number: Int) throws -> (picture: RGBImage, caption: Int)
}

/// The procedural world.
struct WorldSource: CaptionedPictures {
  let height = World.size
  let width = World.size
  let captions = Scene.all.map(\.caption)
  private let pictures: WorldPictures

  init(seed: UInt64) { pictures = WorldPictures(seed: seed) }

  func draw(_ number: Int) throws -> (picture: RGBImage, caption: Int) {
    let (scene, jitter) = pictures.draw(number)
    return (try scene.render(jitter), scene.number)
  }
}

/// A folder of PNGs with captions, read into memory at once.
struct FolderSource: CaptionedPictures {
  let height: Int
  let width: Int
  let captions: [String]
  private let pictures: [(picture: RGBImage, caption: Int)]
  private let seed: UInt64

  init(path: String, seed: UInt64) throws {
    let folder = try CaptionedImageFolder(path: path)
    var number: [String: Int] = [:]
    var captions: [String] = []
    pictures = try folder.entries.indices.map { index in
      let caption = folder.entries[index].caption
      if number[caption] == nil {
        number[caption] = captions.count
        captions.append(caption)
      }
      return (try folder.image(at: index), number[caption] ?? 0)
    }
    (height, width) = (pictures[0].picture.height, pictures[0].picture.width)
    self.captions = captions
    self.seed = seed
    try checkSizes(folder)
  }

  private func checkSizes(_ folder: CaptionedImageFolder) throws {
    for (entry, (picture, _)) in zip(folder.entries, pictures) where picture.width != width || picture.height != height {
      throw MixGRPOError.invalid(
        entry.fileName, expected: "\(width)×\(height) pixels as the first picture", got: "\(picture.width)×\(picture.height)")
    }
  }

  func draw(_ number: Int) throws -> (picture: RGBImage, caption: Int) {
    var random = SplitMix64(key: "picture \(number) of \(seed)".utf8)
    return pictures[random.below(UInt32(clamping: pictures.count))]
  }
}
