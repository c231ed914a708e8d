import MixBasics
import MixNumerics

/// The latents that a trajectory stores, state by state.
struct StoredStates {
  let base: [UnsafeMutablePointer<Float>?]  // (T + 1), each (rows of that state, D); nil for a state that is not stored

  init(_ plan: SamplingPlan, prompts: Int, latentSize: Int, sharesStart: Bool, _ arena: inout Arena) {
    var base: [UnsafeMutablePointer<Float>?] = []
    for state in 0...plan.steps {
      let rowsPerPrompt = plan.isShared(state: state, sharesStart) ? 1 : plan.groupSize
      base.append(plan.isStored(state: state) ? arena.floats(prompts, rowsPerPrompt, latentSize) : nil)
    }
    self.base = base
  }
}

/// The latents that a rollout needs beside those of its trajectory.
struct RolloutArena {
  let samples: UnsafeMutablePointer<Float>  // (P·G, D)
  let shared: UnsafeMutablePointer<Float>  // (P, D), or empty
  let history: [UnsafeMutablePointer<Float>]  // depth + 1 data predictions, each (P·G, D); or none

  init(_ plan: SamplingPlan, prompts: Int, latentSize: Int, sharesStart: Bool, _ arena: inout Arena) {
    samples = arena.floats(prompts, plan.groupSize, latentSize)
    shared = arena.floats(sharesStart ? prompts : 0, latentSize)
    var history: [UnsafeMutablePointer<Float>] = []
    for _ in 0..<(plan.historyDepth > 0 ? plan.historyDepth + 1 : 0) {
      history.append(arena.floats(prompts, plan.groupSize, latentSize))
    }
    self.history = history
  }
}

extension SamplingPlan {
  /// Bytes of latents that a rollout and its trajectory hold.
  /// - Throws: `invalidArgument` for more than can be addressed.
  public func rolloutBytes(prompts: Int, latentSize: Int) throws(MixGRPOError) -> Int {
    try Arena.bytes("rollout") { arena in
      _ = StoredStates(self, prompts: prompts, latentSize: latentSize, sharesStart: sharesStart, &arena)
      _ = RolloutArena(self, prompts: prompts, latentSize: latentSize, sharesStart: sharesStart, &arena)
    }
  }
}

/// Where the latents of each state are while a rollout runs. State j is the latent before step j; state T is the sample.
///
/// Latents that training needs are in the trajectory, those that members share in `shared`, all others in `samples`, in place.
/// Two consecutive states are in the same memory only if they have the same rows.
final class RolloutMemory {
  struct State {
    let base: UnsafeMutablePointer<Float>  // (prompts or samples, D)
    let isShared: Bool
  }

  let trajectory: Trajectory
  let states: [State]  // (T + 1)
  private let arena: RolloutArena
  private let storage: FloatStorage

  init(trajectory: Trajectory) throws(MixGRPOError) {
    let (plan, sharesStart) = (trajectory.plan, trajectory.sharesStart)
    self.trajectory = trajectory
    let (storage, arena) = try Arena.allocate("rollout") {
      RolloutArena(plan, prompts: trajectory.prompts, latentSize: trajectory.latentSize, sharesStart: sharesStart, &$0)
    }
    (self.storage, self.arena) = (storage, arena)
    states = (0...plan.steps).map { state in
      let isShared = plan.isShared(state: state, sharesStart)
      return State(base: trajectory.slot(state) ?? (isShared ? arena.shared : arena.samples), isShared: isShared)
    }
  }

  /// (P·G, D)
  var samples: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: arena.samples, count: trajectory.samples * trajectory.latentSize)
  }

  /// The data predictions of step `step`, in the rows of that step's state.
  func dataPredictions(of step: Int) -> UnsafeMutablePointer<Float>? {
    guard step >= 0, !arena.history.isEmpty else { return nil }
    return arena.history[step % arena.history.count]
  }

  /// Gives every member its own copy of a sample that the whole group shares.
  func expandSharedSamples() {
    guard let last = states.last, last.isShared else { return }
    let (size, groupSize) = (trajectory.latentSize, trajectory.plan.groupSize)
    for sample in 0..<trajectory.samples {
      (arena.samples + sample * size).update(from: last.base + sample / groupSize * size, count: size)
    }
  }
}
