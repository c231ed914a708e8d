import MixGRPO

/// Where a run begins: after its newest checkpoint, or at the beginning.
struct RunStart {
  /// Nil for a run that begins at the beginning.
  let resumption: Resumption?
  private let isRestarted: Bool

  /// - Parameters:
  ///   - resuming: whether the folder holds a run to continue.
  ///   - saveEvery: iterations between checkpoints.
  ///   - way: what to do instead if the settings differ from those of the run.
  ///   - resume: restores the newest checkpoint; nil without any.
  /// - Throws: the errors of `resume`; `invalidState` when checkpoints are missing.
  init(
    _ folder: RunFolder, resuming: Bool, saveEvery: Int, way: String, resume: () throws(MixGRPOError) -> Resumption?
  ) throws(MixGRPOError) {
    do throws(MixGRPOError) {
      resumption = resuming ? try resume() : nil
    } catch {
      throw error.code == .invalidArgument
        ? MixGRPOError(error.code, "\(error.message); a resumed run keeps its settings; \(way)") : error
    }
    isRestarted = resuming && resumption == nil
    if isRestarted { try folder.requireBeforeFirstCheckpoint(saveEvery: saveEvery) }
  }

  /// What is reported of it.
  var remarks: [String] {
    let skipped = (resumption?.skipped ?? []).map { "skipped a damaged checkpoint: \($0)" }
    return skipped + (isRestarted ? ["no checkpoint yet: the run starts from the beginning"] : [])
  }
}
