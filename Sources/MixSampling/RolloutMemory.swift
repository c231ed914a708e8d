import MixBasics
import MixNumerics

/// Where the latents of each state live while a rollout runs. State j is the latent before step j; state T is the sample.
///
/// Latents that training needs go to the trajectory; those that members share to `shared`; all others to `samples`, in place.
/// Two consecutive states are in the same memory only if they have the same rows.
final class RolloutMemory {
  struct State {
    let base: UnsafeMutablePointer<Float>  // (prompts or samples, D)
    let isShared: Bool
  }

  let trajectory: Trajectory
  let samples: FloatStorage  // (P·G, D)
  private let shared: FloatStorage  // (P, D), or empty
  private let history: [FloatStorage]  // depth + 1 data predictions, each (P·G, D)
  let states: [State]  // (T + 1)

  init(trajectory: Trajectory) throws(MixGRPOError) {
    let plan = trajectory.plan
    self.trajectory = trajectory
    let total = try product(trajectory.samples, trajectory.latentSize, field: "samples")
    samples = try FloatStorage(count: total)
    shared = try FloatStorage(count: trajectory.sharesStart ? total / plan.groupSize : 0)
    var history: [FloatStorage] = []
    if plan.historyDepth > 0 {
      for _ in 0...plan.historyDepth { history.append(try FloatStorage(count: total)) }
    }
    self.history = history
    states = (0...plan.steps).map { [samples, shared] state in
      let isShared = plan.isShared(state: state, trajectory.sharesStart)
      return State(
        base: trajectory.slot(state) ?? (isShared ? shared.base : samples.base), isShared: isShared)
    }
  }

  /// The data predictions of step `step`, in the rows of that step's state.
  func dataPredictions(of step: Int) -> UnsafeMutablePointer<Float>? {
    guard step >= 0, !history.isEmpty else { return nil }
    return history[step % history.count].base
  }

  /// Gives every member its own copy of a sample that the whole group shares.
  func expandSharedSamples() {
    guard let last = states.last, last.isShared else { return }
    let (size, groupSize) = (trajectory.latentSize, trajectory.plan.groupSize)
    for sample in 0..<trajectory.samples {
      (samples.base + sample * size).update(from: last.base + sample / groupSize * size, count: size)
    }
  }
}
