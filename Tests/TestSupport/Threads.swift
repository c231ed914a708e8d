import Foundation
import MixBasics

/// The results of `body` for 0..<count, each on a thread of its own.
package func onThreads<Result: Sendable>(
  _ count: Int, _ body: @escaping @Sendable (Int) throws -> Result
) throws -> [Result] {
  let results = Guarded([Int: Swift.Result<Result, any Error>]())
  let done = DispatchSemaphore(value: 0)
  for index in 0..<count {
    Thread.detachNewThread {
      let result = Swift.Result { try body(index) }
      results.withLock { $0[index] = result }
      done.signal()
    }
  }
  for _ in 0..<count { done.wait() }
  let all = results.withLock { $0 }
  return try (0..<count).compactMap { try all[$0]?.get() }
}
