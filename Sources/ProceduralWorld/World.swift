@_exported import MixGRPO

/// A procedural world of captioned pictures, "a red circle at the left": 6 colours × 3 shapes × 5 places.
///
/// Everything is integer arithmetic on 8-bit RGB up to the last division, so that this module, `examples/c/world.c` and
/// `examples/python/world.py` give the same bytes and the same rewards to the last bit.
public enum World {
  /// Pixels per side.
  public static let size = 32

  public enum Colour: Int, CaseIterable, Sendable {
    case red, orange, yellow, green, blue, purple

    var rgb: RGB {
      switch self {
      case .red: RGB(225, 20, 30)
      case .orange: RGB(255, 125, 0)
      case .yellow: RGB(255, 240, 40)
      case .green: RGB(10, 185, 45)
      case .blue: RGB(15, 50, 255)
      case .purple: RGB(200, 20, 220)
      }
    }
  }

  public enum Shape: Int, CaseIterable, Sendable {
    case circle, square, triangle
  }

  public enum Place: Int, CaseIterable, Sendable {
    case left, right, top, bottom, middle

    /// The centre of an object before jitter, in pixels from the top left corner.
    var centre: (x: Int, y: Int) {
      switch self {
      case .left: (9, 16)
      case .right: (23, 16)
      case .top: (16, 9)
      case .bottom: (16, 23)
      case .middle: (16, 16)
      }
    }
  }

  /// The background: a uniform sky between night and day, which no caption mentions.
  enum Sky {
    static let night = RGB(12, 16, 52)
    static let day = RGB(196, 222, 250)

    /// The sky at a level of 0 (night) … 255 (day).
    static func colour(level: Int) -> RGB {
      (night &* (255 - level) &+ day &* level &+ RGB(repeating: 127)) / 255
    }
  }

  typealias RGB = SIMD3<Int>
}

/// The content of a caption.
public struct Scene: Hashable, Sendable {
  public let colour: World.Colour
  public let shape: World.Shape
  public let place: World.Place

  public init(colour: World.Colour, shape: World.Shape, place: World.Place) {
    self.colour = colour
    self.shape = shape
    self.place = place
  }

  /// All 90 scenes; a scene's index is its number in the C and Python examples.
  public static let all: [Scene] = World.Colour.allCases.flatMap { colour in
    World.Shape.allCases.flatMap { shape in
      World.Place.allCases.map { place in Scene(colour: colour, shape: shape, place: place) }
    }
  }

  /// The index in `all`.
  public var number: Int {
    (colour.rawValue * World.Shape.allCases.count + shape.rawValue) * World.Place.allCases.count + place.rawValue
  }

  public var caption: String {
    let article = colour == .orange ? "an" : "a"
    let preposition = place == .middle ? "in" : "at"
    return "\(article) \(colour) \(shape) \(preposition) the \(place)"
  }
}

/// What a caption leaves open and therefore varies between pictures.
public struct Jitter: Hashable, Sendable {
  public static let offsets = -2...2
  public static let radii = 5...7
  public static let skies = 0...255

  /// Offset of the object in pixels, to the right and down.
  public let dx: Int
  public let dy: Int
  /// Half the side of the object's bounding square, in pixels.
  public let radius: Int
  /// 0 night … 255 day.
  public let sky: Int

  /// - Throws: `invalidArgument` that names every field out of range.
  public init(dx: Int, dy: Int, radius: Int, sky: Int) throws(MixGRPOError) {
    var check = Validation()
    check.require(Self.offsets.contains(dx), "dx", expected: "-2…2", got: dx)
    check.require(Self.offsets.contains(dy), "dy", expected: "-2…2", got: dy)
    check.require(Self.radii.contains(radius), "radius", expected: "5…7", got: radius)
    check.require(Self.skies.contains(sky), "sky", expected: "0…255", got: sky)
    try check.throwIfAny()
    self.init(checkedDx: dx, dy: dy, radius: radius, sky: sky)
  }

  init(checkedDx dx: Int, dy: Int, radius: Int, sky: Int) {
    self.dx = dx
    self.dy = dy
    self.radius = radius
    self.sky = sky
  }
}
