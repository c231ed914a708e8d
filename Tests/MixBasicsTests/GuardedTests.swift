import Glibc
import TestSupport
import Testing

@testable import MixBasics

struct GuardedTests {
  @Test func noIncrementOfManyThreadsIsLost() async {
    let counter = Guarded(0)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<1_000 { counter.withLock { $0 += 1 } }
        }
      }
    }
    #expect(counter.withLock { $0 } == 8_000)
  }

  @Test func theLockIsReleasedWhenTheBodyThrows() throws {
    let value = Guarded([1])
    let code = try errorCode {
      try value.withLock { (list) throws(MixGRPOError) in
        list.append(2)
        throw MixGRPOError(.invalidState, "stop")
      }
    }
    #expect(code == .invalidState)
    #expect(value.withLock { $0 } == [1, 2])
  }
}
