import MixNumerics

/// Memory in which a thread computes: tiles of attention probabilities. Thread `worker` of a team finds its own.
struct WorkerScratch {
  let base: UnsafeMutablePointer<Float>
  let stride: Int

  /// Floats of one thread.
  static func floats(_ attention: Attention) -> Int {
    (attention.scratchCount + 15) / 16 * 16
  }

  @inline(__always)
  subscript(worker: Int) -> UnsafeMutablePointer<Float> { base + worker * stride }
}
