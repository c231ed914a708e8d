/// An unlimited sequence of captioned pictures. Each depends only on the seed and its number.
public struct WorldPictures: Sendable {
  public let seed: UInt64

  public init(seed: UInt64) { self.seed = seed }

  /// The scene and the jitter of picture `number`.
  public func draw(_ number: Int) -> (scene: Scene, jitter: Jitter) {
    var random = SplitMix64(key: "picture \(number) of \(seed)".utf8)
    let scene = Scene.all[random.below(UInt32(Scene.all.count))]
    let jitter = Jitter(
      checkedDx: Jitter.offsets.lowerBound + random.below(UInt32(Jitter.offsets.count)),
      dy: Jitter.offsets.lowerBound + random.below(UInt32(Jitter.offsets.count)),
      radius: Jitter.radii.lowerBound + random.below(UInt32(Jitter.radii.count)),
      sky: random.below(UInt32(Jitter.skies.count)))
    return (scene, jitter)
  }
}
