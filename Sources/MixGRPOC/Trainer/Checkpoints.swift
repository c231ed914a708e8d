import CMixGRPO
import MixBasics
import MixGRPO

@_cdecl("mixgrpo_trainer_save") @implementation
public func mixgrpo_trainer_save(_ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    try resolve(trainer, "trainer", as: TrainerObject.self).trainer(for: "save").save(folder: path(folder, "folder"))
  }
}

@_cdecl("mixgrpo_trainer_restore") @implementation
public func mixgrpo_trainer_restore(_ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    try resolve(trainer, "trainer", as: TrainerObject.self).trainer(for: "restore").restore(folder: path(folder, "folder"))
  }
}

@_cdecl("mixgrpo_trainer_checkpoint") @implementation
public func mixgrpo_trainer_checkpoint(
  _ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ keep_last: Int32, _ keep_every: Int64
) -> mixgrpo_status {
  withStatus {
    let trainer = try resolve(trainer, "trainer", as: TrainerObject.self).trainer(for: "checkpoint")
    let folder = try CheckpointFolder(
      path: path(folder, "folder"), keepLast: Int(keep_last), keepEvery: Int(keep_every))
    try trainer.save(in: folder)
  }
}

@_cdecl("mixgrpo_trainer_resume") @implementation
public func mixgrpo_trainer_resume(
  _ trainer: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ out_resumption: UnsafeMutablePointer<mixgrpo_resumption>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "resume")
    let result = try HostStruct.optional(out_resumption, "out_resumption")
    let resumption = try trainer.resume(from: CheckpointFolder(path: path(folder, "folder")))
    object.log(resumption?.warnings ?? [])
    var report = mixgrpo_resumption()
    report.skipped = Int32(truncatingIfNeeded: resumption?.skipped.count ?? 0)
    report.iteration = Int64(resumption?.iteration ?? -1)
    result?.write(report)
  }
}
