import MixGRPO

// The kinds of settings there are. Bounds that the library checks are left to it.

extension Setting {
  static func integer(_ name: String, _ path: WritableKeyPath<Root, Int>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .integer(Int64($0[keyPath: path]))
    } write: {
      guard let value = $1.integer else { throw unfit("a whole number", $1) }
      $0[keyPath: path] = value
    }
  }

  static func seed(_ name: String, _ path: WritableKeyPath<Root, UInt64>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .integer(Int64(clamping: $0[keyPath: path]))
    } write: {
      guard case .integer(let value) = $1, value >= 0 else { throw unfit("a whole number, 0…\(Int64.max)", $1) }
      $0[keyPath: path] = UInt64(value)
    }
  }

  static func number(_ name: String, _ path: WritableKeyPath<Root, Double>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .number($0[keyPath: path])
    } write: {
      guard let value = $1.double else { throw unfit("a number", $1) }
      $0[keyPath: path] = value
    }
  }

  static func flag(_ name: String, _ path: WritableKeyPath<Root, Bool>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .bool($0[keyPath: path])
    } write: {
      guard let value = $1.bool else { throw unfit("true or false", $1) }
      $0[keyPath: path] = value
    }
  }

  static func text(_ name: String, _ path: WritableKeyPath<Root, String>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .string($0[keyPath: path])
    } write: {
      guard let value = $1.string else { throw unfit("a string", $1) }
      $0[keyPath: path] = value
    }
  }

  static func texts(_ name: String, _ path: WritableKeyPath<Root, [String]>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .array($0[keyPath: path].map { .string($0) })
    } write: {
      guard let values = $1.array, values.allSatisfy({ $0.string != nil }) else { throw unfit("a list of strings", $1) }
      $0[keyPath: path] = values.compactMap(\.string)
    }
  }

  static func numbers(_ name: String, _ path: WritableKeyPath<Root, [Double]>, _ summary: String) -> Setting {
    Setting(name: name, summary: summary) {
      .array($0[keyPath: path].map { .number($0) })
    } write: {
      guard let values = $1.array, values.allSatisfy({ $0.double != nil }) else { throw unfit("a list of numbers", $1) }
      $0[keyPath: path] = values.compactMap(\.double)
    }
  }

  /// One of a few names.
  static func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ path: WritableKeyPath<Root, Choice>, _ summary: String
  ) -> Setting where Choice.RawValue == String {
    let names = Choice.allCases.map(\.rawValue)
    return Setting(name: name, summary: "\(summary): \(names.joined(separator: ", "))") {
      .string($0[keyPath: path].rawValue)
    } write: {
      guard let text = $1.string, let choice = Choice(rawValue: text) else {
        throw unfit("one of \(names.joined(separator: ", "))", $1)
      }
      $0[keyPath: path] = choice
    }
  }

  static func section<Part: SettingsTable>(_ name: String, _ path: WritableKeyPath<Root, Part>, _ summary: String) -> Setting {
    Setting(
      name: name, summary: summary, read: { .object($0[keyPath: path].json) }, write: { throw unfit("an object", $1) },
      section: Section(
        apply: { $0[keyPath: path].apply($1, at: $2) }, list: { $0[keyPath: path].list }))
  }
}

/// `expected …, got …`; a string or a number is shown, anything else named.
func unfit(_ expected: String, _ value: JSONValue) -> MixGRPOError {
  let got =
    switch value {
    case .string(let text): "\"\(text.prefix(80))\""
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    default: value.kind
    }
  return MixGRPOError(.invalidArgument, "expected \(expected), got \(got)")
}
