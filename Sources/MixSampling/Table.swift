#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import MixBasics

/// A block of plain values that lives as long as its owner and reports exhaustion as an error.
package final class Table<Element: BitwiseCopyable>: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Element>
  package let count: Int

  package init(count: Int, filledWith value: Element) throws(MixGRPOError) {
    let bytes = try product(max(count, 1), MemoryLayout<Element>.stride, field: "count")
    guard let raw = malloc(bytes) else {
      throw MixGRPOError(.outOfMemory, "memory: expected \(bytes) free bytes, got fewer")
    }
    base = raw.bindMemory(to: Element.self, capacity: max(count, 1))
    base.initialize(repeating: value, count: max(count, 1))
    self.count = count
  }

  deinit { free(base) }

  package var buffer: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

  package subscript(index: Int) -> Element {
    get { base[index] }
    set { base[index] = newValue }
  }
}
