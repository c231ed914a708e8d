import CMixGRPO
import MixBasics
import MixNumerics
import Synchronization

/// The object behind a handle of the C interface. The host must not use one handle on two threads at once (see the header).
class HandleObject: @unchecked Sendable {
  /// The noun of the C name, such as "model".
  class var kind: String { "object" }
}

/// All live handles. A handle is an opaque id cast to a pointer: it is looked up in a table, never dereferenced, and never used
/// again, so that a destroyed, foreign or made-up handle is an error and not a crash.
final class HandleTable: Sendable {
  /// The table. The first caller makes it, and what else every process needs once, while no thread forks: a child could not
  /// finish what another thread had begun.
  static var live: HandleTable {
    if !isMade.load(ordering: .acquiring) {
      ForkGate.withoutFork {
        _ = (table, ThreadPool.shared)
        CancelTable.prepare()
      }
      isMade.store(true, ordering: .releasing)
    }
    return table
  }

  private static let isMade = Atomic<Bool>(false)
  private static let table = HandleTable()

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

  /// Destroys a handle if it is live and of this kind. The object itself lives while others use it.
  func remove<Object: HandleObject>(_ handle: OpaquePointer?, _: Object.Type) {
    guard let handle else { return }
    // The object is released outside the lock.
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

/// The object behind a handle; nil when it is NULL, not live, or of another kind. For getters, which report no errors.
func live<Object: HandleObject>(_ handle: OpaquePointer?, as _: Object.Type) -> Object? {
  handle.flatMap(HandleTable.live.object) as? Object
}

/// The object behind a handle argument; nil for NULL.
/// - Throws: `invalidArgument` naming the argument when it is not live, or of another kind.
func resolveOptional<Object: HandleObject>(
  _ handle: OpaquePointer?, _ argument: String, as type: Object.Type = Object.self
) throws(MixGRPOError) -> Object? {
  handle == nil ? nil : try resolve(handle, argument, as: type)
}

/// Creates an object and writes its handle to `out`, which is checked first.
func handOut<Object: HandleObject>(
  _ out: UnsafeMutablePointer<OpaquePointer?>?, _ argument: String, _ make: () throws -> Object
) -> mixgrpo_status {
  withStatus {
    let place = try place(out, argument)
    place.pointee = try HandleTable.live.add(make())
  }
}
