/// Spreads independent tasks over threads; results must not depend on which thread runs what.
///
/// `worker` numbers the threads of one call, 0..<count, and selects a scratch buffer.
package struct Workers: Sendable {
  package let count: Int

  package init(threads: Int) { count = max(1, threads) }

  /// Runs `body(task, worker)` for every task in 0..<tasks, each once, in no particular order.
  package func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    Team.lead(threads: min(count, tasks)) { team in team.forEach(tasks, body) }
  }

  /// Runs `body(range)` over fixed chunks of 0..<count, so that per-chunk results are the same for any number of threads.
  package func forEachChunk(of count: Int, size: Int = 16_384, _ body: (_ chunk: Int, _ range: Range<Int>) -> Void) {
    forEach((count + size - 1) / size) { chunk, _ in
      body(chunk, chunk * size..<min(count, (chunk + 1) * size))
    }
  }
}
