import CMixGRPO
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
  private static let key: pthread_key_t? = {
    var key = pthread_key_t()
    return pthread_key_create(&key) { free($0) } == 0 ? key : nil
  }()

  static func set(_ message: String) {
    guard let key else { return }
    let previous = pthread_getspecific(key)
    // Without memory for the text, the thread's last error is "".
    guard pthread_setspecific(key, strdup(message)) == 0 else { return }
    free(previous)
  }

  /// Valid until the next `set` on this thread.
  static var text: UnsafePointer<CChar> {
    guard let key, let text = pthread_getspecific(key) else { return StaticText.pointer("") }
    return UnsafePointer(text.assumingMemoryBound(to: CChar.self))
  }
}

/// C strings that live as long as the process.
enum StaticText {
  static func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
