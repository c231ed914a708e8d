import MixNumerics

/// Scratch memory for attention and for the panels of products, one piece for each worker of a team.
struct WorkerScratch {
  let base: UnsafeMutablePointer<Float>
  let stride: Int

  @inline(__always)
  subscript(worker: Int) -> UnsafeMutablePointer<Float> { base + worker * stride }

  /// The same memory without the pieces before `worker`.
  func from(_ worker: Int) -> WorkerScratch { WorkerScratch(base: self[worker], stride: stride) }
}
