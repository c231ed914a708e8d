import MixStorage

/// The type of a setting, with its range or choices.
package enum SettingKind: Sendable {
  case integer(SettingRange)
  case number(SettingRange)
  case flag
  /// Names in the order of their numbers, from 0.
  case choice([String])
  /// The count and the range of whole numbers.
  case integers(Int, SettingRange)
  case text
  case texts
  case numbers
  case rewards
  case section

  /// What was expected, when `value` is invalid; nil when it is valid.
  package func refusal(of value: JSONValue) -> String? {
    switch self {
    case .integer(let range): range.fits(value.whole) ? nil : value.whole == nil ? "a whole number" : "\(range)"
    case .number(let range): range.fits(value.double) ? nil : value.double == nil ? "a number" : "\(range)"
    case .flag: value.bool != nil ? nil : value.whole == nil ? "true or false" : "0 or 1, true or false"
    case .choice(let names): value.string.map(names.contains) == true ? nil : Self.choices(names, value)
    case .integers(let count, let range):
      value.array.map { $0.count == count && $0.allSatisfy { range.fits($0.whole) } } == true
        ? nil : "\(count) whole numbers, each \(range)"
    case .text: value.string == nil ? "a string" : nil
    case .texts: value.array.map { $0.allSatisfy { $0.string != nil } } == true ? nil : "a list of strings"
    case .numbers: value.array.map { $0.allSatisfy { $0.double != nil } } == true ? nil : "a list of numbers"
    case .rewards: value.array == nil ? "a list of rewards" : nil
    case .section: "an object"
    }
  }

  private static func choices(_ names: [String], _ value: JSONValue) -> String {
    guard let word = value.string else { return "one of " + names.enumerated().map { "\($1) (\($0))" }.joined(separator: ", ") }
    return "one of \(names.joined(separator: ", "))\(suggestion(for: word, among: names))"
  }

  /// A valid value other than this one.
  package func another(than value: JSONValue) -> JSONValue? {
    switch self {
    case .integer(let range):
      let minimum = JSONValue.integer(Int64(range.minimum))
      return value == minimum ? .integer(Int64(range.minimum) + 1) : minimum
    case .number(let range):
      let middle = range.minimum + (range.maximum - range.minimum) / 2
      return .number(value.double == middle ? range.minimum + (range.maximum - range.minimum) / 4 : middle)
    case .flag: return value.bool.map { .bool(!$0) }
    case .choice(let names): return names.first { .string($0) != value }.map { .string($0) }
    case .integers(let count, _): return value.array?.first.map { .array(Array(repeating: $0, count: count)) }
    case .text, .texts, .numbers, .rewards, .section: return nil
    }
  }

  /// Shown to users: `2…10000`, `one of a, b`.
  package var bounds: String {
    switch self {
    case .integer(let range), .number(let range), .integers(_, let range): "\(range)"
    case .flag: "true, false"
    case .choice(let names): names.joined(separator: ", ")
    case .text, .texts, .numbers, .rewards, .section: ""
    }
  }
}

/// The range of a number setting.
package struct SettingRange: Sendable, CustomStringConvertible {
  package let minimum: Double
  package let maximum: Double
  /// Whether the minimum itself is excluded.
  package var isMinimumOpen = false
  package var isMaximumOpen = false

  package init(_ minimum: Double, _ maximum: Double, openMinimum: Bool = false, openMaximum: Bool = false) {
    (self.minimum, self.maximum, isMinimumOpen, isMaximumOpen) = (minimum, maximum, openMinimum, openMaximum)
  }

  func fits(_ value: Double?) -> Bool {
    guard let value else { return false }
    return (isMinimumOpen ? value > minimum : value >= minimum) && (isMaximumOpen ? value < maximum : value <= maximum)
  }

  package var description: String {
    if !isMinimumOpen && !isMaximumOpen { return "\(plain(minimum))…\(plain(maximum))" }
    return "a value in \(isMinimumOpen ? "(" : "[")\(plain(minimum)), \(plain(maximum))\(isMaximumOpen ? ")" : "]")"
  }

  private func plain(_ value: Double) -> String {
    if let whole = Int64(exactly: value) { return "\(whole)" }
    return UInt64(exactly: value.nextDown.rounded(.down)) != nil && value == 0x1p64 ? "\(UInt64.max)" : "\(value)"
  }
}

/// 0 < x ≤ 1 is `.above(0, upTo: 1)`.
extension SettingRange {
  package static func closed(_ minimum: Double, _ maximum: Double) -> SettingRange { SettingRange(minimum, maximum) }
  package static func above(_ minimum: Double, upTo maximum: Double) -> SettingRange {
    SettingRange(minimum, maximum, openMinimum: true)
  }
  package static func from(_ minimum: Double, below maximum: Double) -> SettingRange {
    SettingRange(minimum, maximum, openMaximum: true)
  }
  package static func between(_ minimum: Double, _ maximum: Double) -> SettingRange {
    SettingRange(minimum, maximum, openMinimum: true, openMaximum: true)
  }
}

extension JSONValue {
  /// The value as a whole number. Integers that JSON cannot hold are stored as strings.
  var whole: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .string(let digits): UInt64(digits).map { Double($0) }
    case .number(let value): value.rounded() == value ? value : nil
    default: nil
    }
  }

  /// Shown to users and stored in checkpoints.
  package var shown: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let text): text
    case .array(let values): values.map(\.shown).joined(separator: ", ")
    case .object, .null: kind
    }
  }
}
