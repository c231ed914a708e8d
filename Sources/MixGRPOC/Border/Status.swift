import CMixGRPO
import CProcess
import Glibc
import MixBasics

/// Every fallible export runs through here: it runs `body` with default arithmetic, whatever the host has set, and turns an error
/// into a status and this thread's last error.
func withStatus(_ body: () throws -> Void) -> mixgrpo_status {
  do {
    try DefaultArithmetic.run(body)
    return 0
  } catch let error as MixGRPOError {
    LastError.set(error.message)
    return error.code.rawValue
  } catch {
    let fault = MixGRPOError(.internalFault, "internal: expected an error of this library, got \(error)")
    LastError.set(fault.message)
    return fault.code.rawValue
  }
}

/// The message of the latest failed call of each thread, as a C string that the thread owns.
enum LastError {
  /// Without memory for the text, the thread's last error is "".
  static func set(_ message: String) { mixgrpo_error_set(strdup(message)) }

  /// A signal handler may call this.
  static func set(constant message: StaticString) { mixgrpo_error_set_constant(StaticText.pointer(message)) }

  /// Valid until the next `set` on this thread.
  static var text: UnsafePointer<CChar> { mixgrpo_error_text() }
}

/// C strings that live as long as the process.
enum StaticText {
  static func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
