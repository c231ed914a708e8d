import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// An array of plain values of fixed size. Its allocation throws when memory is short.
package final class Table<Element: BitwiseCopyable>: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Element>
  package let count: Int

  package init(count: Int, filledWith value: Element) throws(MixGRPOError) {
    base = try Self.allocate(count)
    self.count = count
    base.initialize(repeating: value, count: count)
  }

  package init(_ values: [Element]) throws(MixGRPOError) {
    base = try Self.allocate(values.count)
    count = values.count
    for (index, value) in values.enumerated() { (base + index).initialize(to: value) }
  }

  private static func allocate(_ count: Int) throws(MixGRPOError) -> UnsafeMutablePointer<Element> {
    let bytes = try product(max(count, 1), MemoryLayout<Element>.stride, field: "count")
    try Memory.require(bytes: bytes)
    guard count >= 0, let raw = malloc(bytes) else {
      throw MixGRPOError(.outOfMemory, "memory: expected \(bytes) free bytes, got fewer")
    }
    return raw.bindMemory(to: Element.self, capacity: max(count, 1))
  }

  deinit { free(base) }

  package var buffer: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

  package subscript(index: Int) -> Element {
    get { base[index] }
    set { base[index] = newValue }
  }
}
