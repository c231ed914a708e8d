import Synchronization

/// Numbers of which no two are the same in a process: they tell one state of something from all others, even after its end.
enum UniqueNumber {
  private static let last = Atomic<Int>(0)

  static func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
