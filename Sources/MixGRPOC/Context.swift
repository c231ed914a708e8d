import CMixGRPO
import MixBasics

/// A run context with its host's callbacks.
final class ContextObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "context" }

  let run: RunContext
  private let callbacks = Guarded(Callbacks())

  /// The host's function pointers, with the user data that is passed back to them.
  private struct Callbacks: @unchecked Sendable {
    var log: mixgrpo_log_callback?
    var logData: UnsafeMutableRawPointer?
    var progress: mixgrpo_progress_callback?
    var progressData: UnsafeMutableRawPointer?
  }

  init(_ run: RunContext) { self.run = run }

  func setLog(_ callback: mixgrpo_log_callback?, _ data: UnsafeMutableRawPointer?) {
    nonisolated(unsafe) let data = data
    callbacks.withLock { ($0.log, $0.logData) = (callback, data) }
  }

  func setProgress(_ callback: mixgrpo_progress_callback?, _ data: UnsafeMutableRawPointer?) {
    nonisolated(unsafe) let data = data
    callbacks.withLock { ($0.progress, $0.progressData) = (callback, data) }
  }

  /// The callback runs outside the lock, so that it may call the library.
  func log(_ level: Int, _ message: String) {
    let callbacks = callbacks.withLock { $0 }
    message.withCString { callbacks.log?(callbacks.logData, mixgrpo_log_level(level), $0) }
  }

  func report(_ stage: Int, done: Int, total: Int) {
    let callbacks = callbacks.withLock { $0 }
    guard let progress = callbacks.progress else { return }
    var value = mixgrpo_progress()
    value.struct_size = UInt32(mixgrpo_progress.byteCount)
    value.stage = mixgrpo_stage(stage)
    (value.done, value.total) = (Int64(done), Int64(total))
    withUnsafePointer(to: value) { progress(callbacks.progressData, $0) }
  }
}

@_cdecl("mixgrpo_context_create") @implementation
public func mixgrpo_context_create(
  _ threads: Int32, _ out_context: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  withStatus {
    let target = try place(out_context, "out_context")
    try requireRange(threads, 0...1024, "threads")
    let run = try RunContext(threads: Int(threads))
    let handle = try HandleTable.live.add(ContextObject(run))
    CancelTable.add(handle, run)
    target.pointee = handle
  }
}

@_cdecl("mixgrpo_context_destroy") @implementation
public func mixgrpo_context_destroy(_ context: OpaquePointer?) {
  let table = HandleTable.live
  CancelTable.remove(context)
  table.remove(context, ContextObject.self)
}

@_cdecl("mixgrpo_context_threads") @implementation
public func mixgrpo_context_threads(_ context: OpaquePointer?) -> Int32 {
  let object = live(context, as: ContextObject.self)
  return Int32(object?.run.threads ?? 0)
}

@_cdecl("mixgrpo_context_set_log") @implementation
public func mixgrpo_context_set_log(
  _ context: OpaquePointer?, _ callback: mixgrpo_log_callback?, _ user_data: UnsafeMutableRawPointer?
) -> mixgrpo_status {
  withStatus { try resolve(context, "context", as: ContextObject.self).setLog(callback, user_data) }
}

@_cdecl("mixgrpo_context_set_progress") @implementation
public func mixgrpo_context_set_progress(
  _ context: OpaquePointer?, _ callback: mixgrpo_progress_callback?, _ user_data: UnsafeMutableRawPointer?
) -> mixgrpo_status {
  withStatus { try resolve(context, "context", as: ContextObject.self).setProgress(callback, user_data) }
}

@_cdecl("mixgrpo_context_cancel") @implementation
public func mixgrpo_context_cancel(_ context: OpaquePointer?) -> mixgrpo_status {
  if let context, CancelTable.cancel(context) { return 0 }
  if context == nil {
    LastError.set(constant: "context: expected a context handle, got NULL")
  } else {
    LastError.set(constant: "context: expected a live context handle, got one that is not")
  }
  return MixGRPOError.Code.invalidArgument.rawValue
}

@_cdecl("mixgrpo_context_reset_cancel") @implementation
public func mixgrpo_context_reset_cancel(_ context: OpaquePointer?) -> mixgrpo_status {
  withStatus { try resolve(context, "context", as: ContextObject.self).run.resetCancel() }
}

@_cdecl("mixgrpo_context_is_cancelled") @implementation
public func mixgrpo_context_is_cancelled(_ context: OpaquePointer?) -> Int32 {
  let object = live(context, as: ContextObject.self)
  return object?.run.isCancelled == true ? 1 : 0
}
