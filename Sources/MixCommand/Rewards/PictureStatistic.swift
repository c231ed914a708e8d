import MixGRPO
import MixSettings

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The built-in rewards: statistics of a picture's pixels; a larger value means more of what the name says.
enum PictureStatistic: String, CaseIterable {
  case brightness
  case darkness
  case contrast
  case saturation
  case colourfulness
  case warmth
  case sharpness
  case smoothness
  case symmetry
  case compressibility
  case incompressibility
  case promptColour = "prompt_colour"

  /// - Throws: `invalidArgument` for an unknown name.
  init(named name: String) throws(MixGRPOError) {
    guard let statistic = PictureStatistic(rawValue: name) else {
      let names = Self.allCases.map(\.rawValue)
      throw .invalid(
        "reward", expected: "a built-in\(suggestion(for: name, among: names)) (\(names.joined(separator: ", ")))",
        got: "\"\(name)\"")
    }
    self = statistic
  }

  var summary: String {
    switch self {
    case .brightness: "mean luma, 0…1"
    case .darkness: "1 − brightness"
    case .contrast: "standard deviation of luma, 0…1"
    case .saturation: "mean of (max − min)/max of red, green, blue, 0…1"
    case .colourfulness: "spread and strength of the opponent colours (Hasler and Süsstrunk 2003), from 0"
    case .warmth: "mean of red − blue, −1…1"
    case .sharpness: "mean difference of neighbouring pixels' luma, 0…1"
    case .smoothness: "1 − sharpness"
    case .symmetry: "1 − mean difference from the picture mirrored left to right"
    case .compressibility: "1 − PNG bytes per byte of pixels"
    case .incompressibility: "PNG bytes per byte of pixels"
    case .promptColour: "mean similarity of pixels to the first colour that the prompt names; no score without one"
    }
  }

  /// NaN when the picture cannot be scored.
  func score(_ image: RGBImage, prompt: String) throws(MixGRPOError) -> Double {
    switch self {
    case .brightness: return mean(image.lumas)
    case .darkness: return 1 - mean(image.lumas)
    case .contrast: return 2 * deviation(image.lumas)
    case .saturation: return mean(image.colours.map(\.saturation))
    case .colourfulness: return Self.colourfulness(image.colours)
    case .warmth: return mean(image.colours.map { $0.red - $0.blue })
    case .sharpness: return image.roughness
    case .smoothness: return 1 - image.roughness
    case .symmetry: return 1 - image.asymmetry
    case .compressibility: return try 1 - Self.compressedShare(image)
    case .incompressibility: return try Self.compressedShare(image)
    case .promptColour:
      guard let target = NamedColour.first(in: prompt) else { return .nan }
      return mean(image.colours.map { 1 - $0.distance(to: target) })
    }
  }

  private static func compressedShare(_ image: RGBImage) throws(MixGRPOError) -> Double {
    Double(try PNG.encode(image).count) / Double(image.pixels.count)
  }

  /// √(σ²_rg + σ²_yb) + 0.3·√(μ²_rg + μ²_yb), rg = R − G and yb = (R + G)/2 − B in [−1, 1].
  private static func colourfulness(_ colours: [Colour]) -> Double {
    let redGreen = colours.map { $0.red - $0.green }
    let yellowBlue = colours.map { ($0.red + $0.green) / 2 - $0.blue }
    return hypot(deviation(redGreen), deviation(yellowBlue)) + 0.3 * hypot(mean(redGreen), mean(yellowBlue))
  }
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

private func deviation(_ values: [Double]) -> Double {
  let middle = mean(values)
  return mean(values.map { ($0 - middle) * ($0 - middle) }).squareRoot()
}
