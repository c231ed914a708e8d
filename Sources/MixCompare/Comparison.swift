import MixStorage
import ProceduralWorld

/// All that a report tells: what was run, and what came of it.
struct Comparison: Sendable {
  struct Row: Sendable {
    let arm: Arm
    /// As the papers count, per picture and averaged over a run's iterations.
    let calls: Double
    let callsShared: Double
    let trainedSteps: Int
    /// One per seed; empty before the first run has ended.
    let results: [RunResult]
    let timing: Timing.Entry?
    /// The first seed's pictures, a PNG.
    let pictures: String?
  }

  let title: String
  let size: ComparisonSize
  let base: Evaluation
  let rows: [Row]
  let timing: Timing?
  /// The row that times are set against.
  let reference: String

  /// A reward after the last iteration, over the seeds.
  func final(_ row: Row, _ reward: Int) -> Estimate { Estimate(row.results.compactMap { $0.last?.rewards[reward] }) }

  /// A reward over the iterations, from the base model on.
  func curve(_ row: Row, _ reward: Int) -> [(iteration: Int, estimate: Estimate)] {
    guard let first = row.results.first else { return [] }
    let start = (iteration: 0, estimate: Estimate([base.rewards[reward]]))
    return [start]
      + first.points.indices.map { index in
        let values = row.results.compactMap { $0.points.indices.contains(index) ? $0.points[index].rewards[reward] : nil }
        return (first.points[index].iteration, Estimate(values))
      }
  }

  /// Time per iteration as a share of the reference's.
  func relativeTime(_ row: Row) -> Double {
    guard let time = row.timing?.seconds, let whole = timing?.entry(reference)?.seconds else { return .nan }
    return time / whole
  }

  func row(_ method: Method) -> Row? { rows.first { $0.arm.name == method.rawValue } }

  /// Seeds whose runs have ended, the fewest of all rows.
  var seeds: Int { rows.map(\.results.count).min() ?? 0 }
}
