import MixGRPO

/// Width and height in pixels, as `32` or `48x32` in settings.
struct PictureSize: Equatable {
  let width: Int
  let height: Int

  /// Nil for an empty text.
  /// - Throws: `invalidArgument` for another text, and for a side outside 1…65535.
  init?(_ text: String) throws(MixGRPOError) {
    if text.isEmpty { return nil }
    let sides = text.split(omittingEmptySubsequences: false, whereSeparator: { "xX×".contains($0) }).map { Int($0) ?? 0 }
    let isValid = (1...2).contains(sides.count) && sides.allSatisfy { (1...RGBImage.maximumSide).contains($0) }
    try require(isValid, "resize", expected: "a side such as 32, or width x height such as 48x32", got: "\"\(text)\"")
    (width, height) = (sides[0], sides[sides.count - 1])
  }
}
