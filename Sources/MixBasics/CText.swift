#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A C string that lives as long as its owner.
package final class CText: @unchecked Sendable {
  package let pointer: UnsafeMutablePointer<CChar>

  /// - Throws: `outOfMemory`.
  package init(_ text: String) throws(MixGRPOError) {
    guard let pointer = strdup(text) else {
      throw MixGRPOError(.outOfMemory, "memory: expected room for a text, got none")
    }
    self.pointer = pointer
  }

  deinit { free(pointer) }
}
