import MixBasics

/// A JSON document. Whole numbers keep all 64 bits; objects keep the order of their members.
package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number without fraction or exponent that fits in 64 bits.
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// A measured value. JSON has no NaN and no infinity, so these become `null`.
  package static func measurement(_ value: Double) -> JSONValue {
    value.isFinite ? .number(value) : .null
  }

  package var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  package var integer: Int? {
    if case .integer(let value) = self { Int(exactly: value) } else { nil }
  }

  /// Any number, whole or not.
  package var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  package var object: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The type, for error messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "a whole number"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// The members of a JSON object in their order; names are unique.
package struct JSONObject: Equatable, Sendable {
  package struct Member: Equatable, Sendable {
    package let name: String
    package var value: JSONValue
    /// Byte offset of the name in a parsed document; not part of equality.
    package let position: Int

    init(name: String, value: JSONValue, position: Int = 0) {
      (self.name, self.value, self.position) = (name, value, position)
    }

    package static func == (first: Member, second: Member) -> Bool {
      first.name == second.name && first.value == second.value
    }
  }

  package private(set) var members: [Member] = []

  package init() {}

  /// For the parser, which has checked that names are unique.
  init(uniqueMembers: [Member]) { members = uniqueMembers }

  /// For error messages about a missing member: ` among "a", "b"`, at most six of the names; empty without members.
  package var memberNames: String {
    let names = members.prefix(6).map { "\"\(excerpt($0.name))\"" }
    return names.isEmpty ? "" : " among \(names.joined(separator: ", "))\(members.count > 6 ? ", …" : "")"
  }

  /// Lookup is linear in the number of members; to look up many names of a large object, iterate over `members`.
  package subscript(name: String) -> JSONValue? {
    get { members.first { $0.name == name }?.value }
    set {
      let index = members.firstIndex { $0.name == name }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(name: name, value: value))
      case (nil, nil): break
      }
    }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// The last value of a duplicate name is kept.
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (name, value) in elements { self[name] = value }
  }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    var object = JSONObject()
    for (name, value) in elements { object[name] = value }
    self = .object(object)
  }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral {
  package init(nilLiteral: ()) { self = .null }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
}

extension JSONValue: ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral {
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
