import MixGRPO

/// A colour as shares of red, green and blue, 0…1 in sRGB.
struct Colour: Equatable {
  let red: Double
  let green: Double
  let blue: Double

  /// Rec. 601.
  var luma: Double { 0.299 * red + 0.587 * green + 0.114 * blue }

  /// (max − min)/max; 0 for black.
  var saturation: Double {
    let largest = max(red, green, blue)
    return largest > 0 ? (largest - min(red, green, blue)) / largest : 0
  }

  /// Euclidean distance, scaled to 1 from black to white.
  func distance(to other: Colour) -> Double {
    let (r, g, b) = (red - other.red, green - other.green, blue - other.blue)
    return ((r * r + g * g + b * b) / 3).squareRoot()
  }
}

/// Colours that prompts may name.
enum NamedColour {
  private static let table: [String: Colour] = [
    "red": Colour(red: 0.9, green: 0.1, blue: 0.1), "orange": Colour(red: 1, green: 0.5, blue: 0),
    "yellow": Colour(red: 1, green: 0.95, blue: 0.15), "green": Colour(red: 0.1, green: 0.7, blue: 0.2),
    "cyan": Colour(red: 0, green: 0.85, blue: 0.9), "blue": Colour(red: 0.1, green: 0.2, blue: 0.95),
    "purple": Colour(red: 0.6, green: 0.1, blue: 0.8), "violet": Colour(red: 0.6, green: 0.1, blue: 0.8),
    "magenta": Colour(red: 0.95, green: 0.1, blue: 0.9), "pink": Colour(red: 1, green: 0.6, blue: 0.75),
    "brown": Colour(red: 0.5, green: 0.3, blue: 0.1), "black": Colour(red: 0, green: 0, blue: 0),
    "white": Colour(red: 1, green: 1, blue: 1), "grey": Colour(red: 0.5, green: 0.5, blue: 0.5),
    "gray": Colour(red: 0.5, green: 0.5, blue: 0.5),
  ]

  /// The colour of the first word that names one, ignoring case.
  static func first(in prompt: String) -> Colour? {
    prompt.lowercased().split { !$0.isLetter }.lazy.compactMap { table[String($0)] }.first
  }
}

extension RGBImage {
  var colours: [Colour] {
    (0..<pixels.count / 3).map { Colour(red: share(3 * $0), green: share(3 * $0 + 1), blue: share(3 * $0 + 2)) }
  }

  private func share(_ index: Int) -> Double { Double(pixels[index]) / 255 }

  var lumas: [Double] { colours.map(\.luma) }  // (height, width)

  /// Mean absolute difference of luma between each pixel and its neighbours to the right and below; 0 for a single pixel.
  var roughness: Double {
    let lumas = lumas
    var sum = 0.0
    for row in 0..<height {
      for column in 0..<width {
        let place = row * width + column
        if column + 1 < width { sum += abs(lumas[place] - lumas[place + 1]) }
        if row + 1 < height { sum += abs(lumas[place] - lumas[place + width]) }
      }
    }
    return sum / Double(max(1, height * (width - 1) + (height - 1) * width))
  }

  /// Mean absolute difference from the mirrored picture.
  var asymmetry: Double {
    let lumas = lumas
    var sum = 0.0
    for row in 0..<height {
      for column in 0..<width { sum += abs(lumas[row * width + column] - lumas[row * width + width - 1 - column]) }
    }
    return sum / Double(lumas.count)
  }
}
