#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A value that only one thread at a time may access.
///
/// Uses the system's mutex instead of the module Synchronization, because ThreadSanitizer understands it and so sees what it
/// guards. It is free in the child of a fork: see `ForkGate`.
package final class Guarded<Value>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  package init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Must not be called again from within `body`.
  package func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
    try ForkGate.withoutFork { () throws(Failure) -> Result in
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      return try body(&value)
    }
  }
}
