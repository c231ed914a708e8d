import Dispatch
import Synchronization

/// Spreads independent tasks over threads; results must not depend on which thread runs what.
///
/// Threads come from the system's pool and sleep there between calls. `worker` numbers the threads of one call, 0..<count, and
/// serves to pick a scratch buffer.
package struct Workers: Sendable {
  package let count: Int

  package init(threads: Int) { count = max(1, threads) }

  /// Runs `body(task, worker)` for every task in 0..<tasks, each once, in no particular order.
  package func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    let width = min(count, tasks)
    guard width > 1 else {
      for task in 0..<max(tasks, 0) { body(task, 0) }
      return
    }
    let next = Atomic<Int>(0)
    withoutActuallyEscaping(body) { body in
      // The tasks are the caller's promise of independence.
      nonisolated(unsafe) let body = body
      DispatchQueue.concurrentPerform(iterations: width) { worker in
        while true {
          let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if task >= tasks { return }
          body(task, worker)
        }
      }
    }
  }

  /// Runs `body(range)` over fixed chunks of 0..<count, so that per-chunk results are the same for any number of threads.
  package func forEachChunk(of count: Int, size: Int = 16_384, _ body: (_ chunk: Int, _ range: Range<Int>) -> Void) {
    forEach((count + size - 1) / size) { chunk, _ in
      body(chunk, chunk * size..<min(count, (chunk + 1) * size))
    }
  }
}
