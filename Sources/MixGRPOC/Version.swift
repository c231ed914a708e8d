import CMixGRPO
import MixBasics

@_cdecl("mixgrpo_abi_version") @implementation
public func mixgrpo_abi_version() -> UInt32 { UInt32(MIXGRPO_ABI_VERSION) }

/// The release, made from the header's macros.
private let version: CText? = {
  do {
    return try CText("\(MIXGRPO_VERSION_MAJOR).\(MIXGRPO_VERSION_MINOR).\(MIXGRPO_VERSION_PATCH)")
  } catch {
    return nil
  }
}()

@_cdecl("mixgrpo_version") @implementation
public func mixgrpo_version() -> UnsafePointer<CChar>? {
  version.map { UnsafePointer($0.pointer) } ?? StaticText.pointer("")
}

@_cdecl("mixgrpo_status_name") @implementation
public func mixgrpo_status_name(_ status: mixgrpo_status) -> UnsafePointer<CChar>? {
  guard status != 0 else { return StaticText.pointer("ok") }
  return switch MixGRPOError.Code(rawValue: status) {
  case .cancelled: StaticText.pointer("cancelled")
  case .invalidArgument: StaticText.pointer("invalid_argument")
  case .invalidState: StaticText.pointer("invalid_state")
  case .bufferTooSmall: StaticText.pointer("buffer_too_small")
  case .outOfMemory: StaticText.pointer("out_of_memory")
  case .inputOutput: StaticText.pointer("input_output")
  case .invalidFormat: StaticText.pointer("invalid_format")
  case .unsupported: StaticText.pointer("unsupported")
  case .notFinite: StaticText.pointer("not_finite")
  case .internalFault: StaticText.pointer("internal")
  case .diverged: StaticText.pointer("diverged")
  case nil: StaticText.pointer("unknown")
  }
}

@_cdecl("mixgrpo_last_error") @implementation
public func mixgrpo_last_error() -> UnsafePointer<CChar>? { LastError.text }
