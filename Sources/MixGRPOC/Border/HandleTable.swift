import MixBasics

/// What a handle of the C interface stands for. Exclusive use per handle is the host's duty, as the header says.
class HandleObject: @unchecked Sendable {
  /// The noun of the C name, such as "model".
  class var kind: String { "object" }
}

/// All live handles. A handle is a number dressed as a pointer: it is looked up, never followed, and never given out twice, so
/// that a destroyed, foreign or made-up handle is an error and not a crash.
final class HandleTable: Sendable {
  static let live = HandleTable()

  private struct Content {
    var lastNumber: UInt = 0
    var objects: [UInt: HandleObject] = [:]
  }
  private let content = Guarded(Content())

  func add(_ object: HandleObject) throws(MixGRPOError) -> OpaquePointer {
    let number = content.withLock { content in
      content.lastNumber &+= 16  // looks aligned, as a debugger or a sanitizer expects of a pointer
      content.objects[content.lastNumber] = object
      return content.lastNumber
    }
    guard let handle = OpaquePointer(bitPattern: number) else {
      throw MixGRPOError(.internalFault, "handle: expected a free number, got none")
    }
    return handle
  }

  func object(_ handle: OpaquePointer) -> HandleObject? {
    content.withLock { $0.objects[UInt(bitPattern: handle)] }
  }

  /// Ends the life of a handle if it is live and of the kind; the object itself lives on while others use it.
  func remove<Object: HandleObject>(_ handle: OpaquePointer?, _: Object.Type) {
    guard let handle else { return }
    // The object dies outside of the lock.
    let removed: HandleObject? = content.withLock { content in
      guard content.objects[UInt(bitPattern: handle)] is Object else { return nil }
      return content.objects.removeValue(forKey: UInt(bitPattern: handle))
    }
    withExtendedLifetime(removed) {}
  }
}

private func nameWithArticle(_ kind: String) -> String {
  let isVowel = kind.first.map("aeiou".contains) ?? false
  return "\(isVowel ? "an" : "a") \(kind) handle"
}

/// The object behind a handle argument.
/// - Throws: `invalidArgument` naming the argument when it is NULL, not live, or of another kind.
func resolve<Object: HandleObject>(
  _ handle: OpaquePointer?, _ argument: String, as _: Object.Type = Object.self
) throws(MixGRPOError) -> Object {
  guard let handle else { throw .invalid(argument, expected: nameWithArticle(Object.kind), got: "NULL") }
  guard let object = HandleTable.live.object(handle) else {
    throw .invalid(argument, expected: "a live \(Object.kind) handle", got: "one that is not")
  }
  guard let wanted = object as? Object else {
    throw .invalid(argument, expected: nameWithArticle(Object.kind), got: nameWithArticle(type(of: object).kind))
  }
  return wanted
}

/// As `resolve`, nil for NULL.
func resolveOptional<Object: HandleObject>(
  _ handle: OpaquePointer?, _ argument: String, as type: Object.Type = Object.self
) throws(MixGRPOError) -> Object? {
  handle == nil ? nil : try resolve(handle, argument, as: type)
}

/// Makes an object and hands it out; the place for it is checked first.
func handOut<Object: HandleObject>(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ argument: String, _ make: () throws -> Object
) throws {
  let place = try place(out, argument)
  place.pointee = try HandleTable.live.add(make())
}
