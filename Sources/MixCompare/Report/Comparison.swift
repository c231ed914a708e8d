import MixStorage
import ProceduralWorld

/// The content of a report: the runs and their results.
struct Comparison: Sendable {
  struct Row: Sendable {
    let arm: Arm
    /// Model calls per picture as the papers count, averaged over the iterations of a run.
    let calls: Double
    let callsShared: Double
    let trainedSteps: Int
    /// One per finished seed.
    let results: [RunResult]
    let timing: Timing.Entry?
    /// The path of the first seed's picture grid, a PNG.
    let pictures: String?
  }

  let title: String
  let size: ComparisonSize
  let base: Evaluation
  let rows: [Row]
  let timing: Timing?
  /// The row that relative times refer to.
  let reference: String

  /// A reward after the last iteration, averaged over the seeds.
  func final(_ row: Row, _ reward: Int) -> Estimate { Estimate(row.results.compactMap { $0.last?.rewards[reward] }) }

  /// A reward over the iterations, starting with the base model.
  func curve(_ row: Row, _ reward: Int) -> [(iteration: Int, estimate: Estimate)] {
    guard let first = row.results.first else { return [] }
    let start = (iteration: 0, estimate: Estimate([base.rewards[reward]]))
    return [start]
      + first.points.indices.map { index in
        let values = row.results.compactMap { $0.points.indices.contains(index) ? $0.points[index].rewards[reward] : nil }
        return (first.points[index].iteration, Estimate(values))
      }
  }

  /// Time per iteration relative to the reference.
  func relativeTime(_ row: Row) -> Double {
    guard let time = row.timing?.seconds, let whole = timing?.entry(reference)?.seconds else { return .nan }
    return time / whole
  }

  func row(_ method: Method) -> Row? { rows.first { $0.arm.name == method.rawValue } }

  /// The minimum number of finished seeds over all rows.
  var seeds: Int { rows.map(\.results.count).min() ?? 0 }
}
