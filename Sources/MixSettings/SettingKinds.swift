import MixBasics
import MixStorage

// Constructors for each kind of row.

extension Setting {
  package static func integer<Value: FixedWidthInteger>(
    _ key: String, _ path: WritableKeyPath<Root, Value>, _ range: ClosedRange<Int64>, default standard: Int64? = nil,
    unit: String = "", _ summary: String
  ) -> Setting {
    row(
      key, path, .integer(.closed(Double(range.lowerBound), range.upperBound == .max ? 0x1p63 : Double(range.upperBound))),
      standard.map { .integer($0) }, unit, summary
    ) {
      jsonInteger($0)
    } from: {
      value(of: $0)
    }
  }

  /// A seed of random numbers: any 64-bit value.
  package static func seed(_ key: String, _ path: WritableKeyPath<Root, UInt64>, _ summary: String) -> Setting {
    row(key, path, .integer(.closed(0, 0x1p64)), .integer(0), "", summary) {
      jsonInteger($0)
    } from: {
      value(of: $0)
    }
  }

  package static func number(
    _ key: String, _ path: WritableKeyPath<Root, Double>, _ range: SettingRange, default standard: Double? = nil,
    unit: String = "", _ summary: String
  ) -> Setting {
    row(key, path, .number(range), standard.map { .number($0) }, unit, summary) {
      .number($0)
    } from: {
      $0.double
    }
  }

  package static func flag(_ key: String, _ path: WritableKeyPath<Root, Bool>, _ summary: String) -> Setting {
    row(key, path, .flag, nil, "", summary) {
      .bool($0)
    } from: {
      $0.bool
    }
  }

  /// A flag of the header, 0 or 1. Any other number is kept, so that validation can report it.
  package static func flag(
    _ key: String, _ path: WritableKeyPath<Root, Int32>, default standard: Bool, _ summary: String
  ) -> Setting {
    row(key, path, .flag, .bool(standard), "", summary) {
      $0 == 0 || $0 == 1 ? .bool($0 == 1) : .integer(Int64($0))
    } from: {
      $0.bool.map { $0 ? 1 : 0 }
    }
  }

  /// An enumeration of the header: names in the order of its numbers. A number without a name is kept, so that validation can
  /// report it.
  package static func choice(
    _ key: String, _ path: WritableKeyPath<Root, Int32>, _ names: [String], default standard: String? = nil, _ summary: String
  ) -> Setting {
    row(key, path, .choice(names), standard.map { .string($0) }, "", summary) { raw in
      names.indices.contains(Int(raw)) ? .string(names[Int(raw)]) : .integer(Int64(raw))
    } from: { value in
      value.string.flatMap(names.firstIndex).map { Int32($0) }
    }
  }

  /// A choice among the names of a Swift enumeration.
  package static func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _ path: WritableKeyPath<Root, Choice>, _ summary: String
  ) -> Setting where Choice.RawValue == String {
    row(key, path, .choice(Choice.allCases.map(\.rawValue)), nil, "", summary) {
      .string($0.rawValue)
    } from: {
      $0.string.flatMap(Choice.init(rawValue:))
    }
  }

  package static func text(_ key: String, _ path: WritableKeyPath<Root, String>, _ summary: String) -> Setting {
    row(key, path, .text, nil, "", summary) {
      .string($0)
    } from: {
      $0.string
    }
  }

  package static func texts(_ key: String, _ path: WritableKeyPath<Root, [String]>, _ summary: String) -> Setting {
    row(key, path, .texts, nil, "", summary) {
      .array($0.map { .string($0) })
    } from: {
      $0.array?.compactMap(\.string)
    }
  }

  package static func numbers(_ key: String, _ path: WritableKeyPath<Root, [Double]>, _ summary: String) -> Setting {
    row(key, path, .numbers, nil, "", summary) {
      .array($0.map { .number($0) })
    } from: {
      $0.array?.compactMap(\.double)
    }
  }

  /// Three whole numbers, an array in the header.
  package static func integers(
    _ key: String, _ path: WritableKeyPath<Root, (Int32, Int32, Int32)>, _ range: SettingRange, default standard: [Int64],
    _ summary: String
  ) -> Setting {
    row(key, path, .integers(3, range), .array(standard.map { .integer($0) }), "", summary) {
      .array([$0.0, $0.1, $0.2].map { .integer(Int64($0)) })
    } from: {
      let values = $0.array?.compactMap { value(of: $0, as: Int32.self) } ?? []
      return values.count == 3 ? (values[0], values[1], values[2]) : nil
    }
  }

  /// A list of rewards, whose type has its own JSON conversion.
  package static func rewards<Value>(
    _ key: String, _ path: WritableKeyPath<Root, [Value]>, _ summary: String, to json: @escaping (Value) -> JSONValue,
    from value: @escaping (JSONValue) throws(MixGRPOError) -> Value
  ) -> Setting {
    var setting = Setting(key: key, summary: summary, kind: .rewards) {
      .array($0[keyPath: path].map(json))
    } store: { (root, document) throws(MixGRPOError) in
      var values: [Value] = []
      for element in document.array ?? [] { values.append(try value(element)) }
      root[keyPath: path] = values
    }
    setting.changeElements = { root, changes, place in
      var elements = root[keyPath: path]
      var problems: [SettingProblem] = []
      for member in changes.members {
        do throws(MixGRPOError) {
          try change(&elements, member, to: json, from: value)
        } catch {
          problems.append(
            SettingProblem(path: place.appending(member.name), message: error.message, position: member.position))
        }
      }
      if problems.isEmpty { root[keyPath: path] = elements }
      return problems
    }
    return setting
  }

  /// Replaces members of one object in a list, which `change` names by its number or its name: `"0": {"weight": 2}`.
  private static func change<Value>(
    _ elements: inout [Value], _ change: JSONObject.Member, to json: (Value) -> JSONValue,
    from value: (JSONValue) throws(MixGRPOError) -> Value
  ) throws(MixGRPOError) {
    let names = elements.map { json($0).object?["name"]?.string ?? "" }
    let known = names.enumerated().map { "\($0) (\($1))" }.joined(separator: ", ")
    let index = Int(change.name) ?? names.firstIndex(of: change.name)
    guard let index, elements.indices.contains(index), var element = json(elements[index]).object else {
      let expected = known.isEmpty ? "a list first, because nothing is in it yet" : "the number or name of one of \(known)"
      throw MixGRPOError(.invalidArgument, "expected \(expected), got \"\(change.name)\"")
    }
    guard let changes = change.value.object else {
      throw mismatch("one of its members, such as \(change.name).\(element.members.last?.name ?? "name")", change.value)
    }
    for part in changes.members { element[part.name] = part.value }
    elements[index] = try value(.object(element))
  }

  package static func section<Part: SettingsTable>(
    _ key: String, _ path: WritableKeyPath<Root, Part>, _ summary: String
  ) -> Setting {
    var setting = Setting(key: key, summary: summary, kind: .section) {
      .object($0[keyPath: path].json)
    } store: { (_, value) throws(MixGRPOError) in
      throw mismatch("an object", value)
    }
    setting.section = SettingSection(
      apply: { $0[keyPath: path].apply($1, at: $2) }, names: Part.settings.map(\.key),
      list: { $0[keyPath: path].lines(prefix: key + ".") })
    return setting
  }

  private static func row<Value>(
    _ key: String, _ path: WritableKeyPath<Root, Value>, _ kind: SettingKind, _ standard: JSONValue?, _ unit: String,
    _ summary: String, to json: @escaping (Value) -> JSONValue, from value: @escaping (JSONValue) -> Value?
  ) -> Setting {
    var setting = Setting(key: key, summary: summary, kind: kind) {
      json($0[keyPath: path])
    } store: { (root, document) throws(MixGRPOError) in
      guard let value = value(document) else { throw mismatch("a value of another kind", document) }
      root[keyPath: path] = value
    }
    (setting.standard, setting.unit) = (standard, unit)
    setting.offset = MemoryLayout<Root>.offset(of: path)
    return setting
  }
}

/// A JSON integer, or a string where the value exceeds what a JSON integer holds.
private func jsonInteger(_ value: some FixedWidthInteger) -> JSONValue {
  Int64(exactly: value).map { .integer($0) } ?? .string("\(value)")
}

private func value<Value: FixedWidthInteger>(of json: JSONValue, as _: Value.Type = Value.self) -> Value? {
  switch json {
  case .integer(let value): Value(exactly: value)
  case .string(let digits): UInt64(digits).flatMap(Value.init(exactly:))
  case .number(let value): Value(exactly: value)
  default: nil
  }
}

/// `expected …, got …`; strings and numbers are quoted, other values are named by their type.
package func mismatch(_ expected: String, _ value: JSONValue) -> MixGRPOError {
  let got =
    switch value {
    case .string(let text): "\"\(text.prefix(80))\""
    case .integer, .number: value.shown
    default: value.kind
    }
  return MixGRPOError(.invalidArgument, "expected \(expected), got \(got)")
}
