import MixBasics
import Synchronization

/// The contexts that can be cancelled, in a form that a signal handler may read: without a lock, without an allocation, and
/// without an initialization at first use.
///
/// Cells form a list that only grows; the cell of a destroyed context is used again.
enum CancelTable {
  private typealias Place = UnsafeMutablePointer<Cell>

  private struct Cell: ~Copyable {
    /// The handle, 0 while the cell is free. No other context ever has the same one.
    let number = Atomic<UInt>(0)
    /// Cancels that are looking at the cell. It is not used again before they have left.
    let readers = Atomic<Int>(0)
    /// The cell owns a reference to its latest run context.
    let run: Atomic<Unmanaged<RunContext>?>
    let next: Place?
  }

  nonisolated(unsafe) private static let first = Atomic<Place?>(nil)
  /// Taken to add and remove contexts, never by a cancel.
  private static let changes = Guarded(())

  /// Makes what the first `add` would make.
  static func prepare() { _ = changes }

  static func add(_ handle: OpaquePointer, _ run: RunContext) {
    changes.withLock { _ in
      let cell = freeCell() ?? append()
      let before = cell.pointee.run.exchange(.passRetained(run), ordering: .acquiringAndReleasing)
      cell.pointee.number.store(UInt(bitPattern: handle), ordering: .sequentiallyConsistent)
      before?.release()
    }
  }

  static func remove(_ handle: OpaquePointer?) {
    guard let handle else { return }
    changes.withLock { _ in cell(UInt(bitPattern: handle))?.pointee.number.store(0, ordering: .sequentiallyConsistent) }
  }

  /// False when no live context has this handle. A signal handler may call this, whatever it interrupts.
  static func cancel(_ handle: OpaquePointer) -> Bool {
    let number = UInt(bitPattern: handle)
    guard let cell = cell(number) else { return false }
    cell.pointee.readers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { cell.pointee.readers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    // From here on the cell keeps its run context, unless it was free or had another before.
    guard cell.pointee.number.load(ordering: .sequentiallyConsistent) == number else { return false }
    cell.pointee.run.load(ordering: .acquiring)?._withUnsafeGuaranteedRef { $0.cancel() }
    return true
  }

  private static func append() -> Place {
    let cell = Place.allocate(capacity: 1)
    cell.initialize(to: Cell(run: Atomic(nil), next: first.load(ordering: .relaxed)))
    first.store(cell, ordering: .releasing)
    return cell
  }

  private static func freeCell() -> Place? {
    find { $0.pointee.number.load(ordering: .relaxed) == 0 && $0.pointee.readers.load(ordering: .sequentiallyConsistent) == 0 }
  }

  private static func cell(_ number: UInt) -> Place? {
    find { $0.pointee.number.load(ordering: .acquiring) == number }
  }

  @inline(__always)
  private static func find(_ fits: (Place) -> Bool) -> Place? {
    var place = first.load(ordering: .acquiring)
    while let cell = place {
      if fits(cell) { return cell }
      place = cell.pointee.next
    }
    return nil
  }
}
