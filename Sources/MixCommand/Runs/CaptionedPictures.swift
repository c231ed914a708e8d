import MixGRPO

/// A folder of PNGs with captions, held in memory, all of one size.
struct CaptionedPictures {
  let height: Int
  let width: Int
  /// Distinct captions, in file order.
  let captions: [String]
  private let pictures: [(picture: RGBImage, caption: Int)]
  private let seed: UInt64

  /// - Parameter size: scales all pictures to it; nil for pictures that have one size.
  /// - Throws: one error that names the first pictures that cannot be read or, without a size, differ from the first in theirs.
  init(path: String, seed: UInt64, size: PictureSize?) throws(MixGRPOError) {
    let folder = try CaptionedImageFolder(path: path)
    var number: [String: Int] = [:]
    var captions: [String] = []
    var pictures: [(picture: RGBImage, caption: Int)] = []
    var problems = PictureProblems(folder: path)
    for (index, entry) in folder.entries.enumerated() {
      if number[entry.caption] == nil {
        number[entry.caption] = captions.count
        captions.append(entry.caption)
      }
      do throws(MixGRPOError) {
        let picture = try Self.read(folder, index, size, first: pictures.first?.picture)
        pictures.append((picture, number[entry.caption] ?? 0))
      } catch {
        try problems.add(error, of: entry.fileName)
      }
    }
    try problems.throwIfAny()
    (height, width) = (pictures.first?.picture.height ?? 0, pictures.first?.picture.width ?? 0)
    (self.captions, self.pictures, self.seed) = (captions, pictures, seed)
  }

  private static func read(
    _ folder: CaptionedImageFolder, _ index: Int, _ size: PictureSize?, first: RGBImage?
  ) throws(MixGRPOError) -> RGBImage {
    let picture = try folder.image(at: index)
    if let size { return try picture.fitted(width: size.width, height: size.height) }
    let first = first ?? picture
    guard picture.width == first.width, picture.height == first.height else {
      throw .invalid(
        folder.entries[index].fileName, expected: "\(first.width)×\(first.height) pixels as the first picture",
        got: "\(picture.width)×\(picture.height)")
    }
    return picture
  }

  var count: Int { pictures.count }

  /// The picture that training uses as its `number`-th. Depends only on the number and the seed.
  func draw(_ number: Int) -> (picture: RGBImage, caption: Int) {
    var random = SplitMix64(key: "picture \(number) of \(seed)".utf8)
    return pictures[random.below(UInt32(clamping: pictures.count))]
  }
}
