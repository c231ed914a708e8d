import Synchronization

/// Numbers that are unique in a process: each identifies one state of an object, even after the object is gone.
enum UniqueNumber {
  private static let last = Atomic<Int>(0)

  static func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
