import MixNumerics

/// Memory in which a thread computes: tiles of attention probabilities. Each worker of a team has its own.
struct WorkerScratch {
  let base: UnsafeMutablePointer<Float>
  let stride: Int

  @inline(__always)
  subscript(worker: Int) -> UnsafeMutablePointer<Float> { base + worker * stride }

  /// The same memory without the first `worker` places.
  func from(_ worker: Int) -> WorkerScratch { WorkerScratch(base: self[worker], stride: stride) }
}
