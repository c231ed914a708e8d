import MixBasics
import MixNumerics

/// The gradients of one minibatch, summed prompt by prompt in the order of the tree.
///
/// The model adds the gradients of one prompt in its own buffer. Then `close` takes them over as a term of the tree and clears the
/// buffer for the next prompt. A rank keeps log₂ P sums at most for P prompts of its own whose places form a node (one for one
/// prompt), else twice as many.
final class GradientSums {
  private let count: Int
  private var sum = TreeSum<FloatStorage>()
  /// Memory of earlier sums.
  private var free: [FloatStorage] = []

  /// - Parameter count: trained values.
  init(count: Int) { self.count = count }

  /// The sums of the nodes whose prompts this rank holds alone.
  var roots: [FloatStorage] { sum.nodes.map(\.term) }

  /// Takes over the gradients of the prompt at `place`, and clears them.
  /// - Throws: `outOfMemory`.
  func close(
    _ place: Int, _ gradients: UnsafeMutablePointer<Float>, in tree: SummationTree, workers: Workers
  ) throws(MixGRPOError) {
    func join(_ lower: FloatStorage, _ upper: FloatStorage) { self.join(lower, upper, workers) }
    if let lower = sum.lowerHalf(for: place, joins: tree.hasOneOwner, join) {
      move(gradients, workers) { Reduction.add($0, to: lower.base + $1, count: $2) }
      return sum.joinAfterLowerHalf(place, joins: tree.hasOneOwner, join)
    }
    let term = if let spare = free.popLast() { spare } else { try FloatStorage(count: count) }
    move(gradients, workers) { (term.base + $1).update(from: $0, count: $2) }
    sum.add(term, at: place, joins: tree.hasOneOwner, join)
  }

  /// Gives the gradients to `take`, in chunks, and clears them.
  private func move(
    _ gradients: UnsafeMutablePointer<Float>, _ workers: Workers,
    _ take: (_ values: UnsafePointer<Float>, _ first: Int, _ count: Int) -> Void
  ) {
    workers.forEachChunk(of: count) { _, range in
      let values = gradients + range.lowerBound
      take(values, range.lowerBound, range.count)
      values.update(repeating: 0, count: range.count)
    }
  }

  /// Joins what remains at the end of a minibatch.
  func finish(in tree: SummationTree, workers: Workers) {
    sum.finish(joins: tree.hasOneOwner) { join($0, $1, workers) }
  }

  /// Forgets all sums.
  func reset() {
    free += roots
    sum = TreeSum()
  }

  /// Gives back the memory, which the next update requests again.
  func release() {
    sum = TreeSum()
    free = []
  }

  private func join(_ lower: FloatStorage, _ upper: FloatStorage, _ workers: Workers) {
    workers.forEachChunk(of: count) { _, range in
      Reduction.add(upper.base + range.lowerBound, to: lower.base + range.lowerBound, count: range.count)
    }
    free.append(upper)
  }
}
