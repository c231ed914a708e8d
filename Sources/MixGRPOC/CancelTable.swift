import MixBasics
import Synchronization

/// The contexts that can be cancelled, in a form that a signal handler may read: without a lock and without an allocation.
///
/// Cells form a list that only grows; the cell of a destroyed context is used again. A cell keeps its latest run context
/// alive, so that a cancel during a destroy never reads freed memory.
final class CancelTable: @unchecked Sendable {
  static let live = CancelTable()

  private final class Cell: @unchecked Sendable {
    /// The handle, 0 while the cell is free.
    let number = Atomic<UInt>(0)
    let next: Unmanaged<Cell>?
    var run: RunContext

    init(_ run: RunContext, next: Unmanaged<Cell>?) { (self.run, self.next) = (run, next) }
  }

  private let first = Atomic<Unmanaged<Cell>?>(nil)
  /// Taken to add and remove contexts, never by a cancel.
  private let changes = Guarded(())

  func add(_ handle: OpaquePointer, _ run: RunContext) {
    changes.withLock { _ in
      let cell = cell(0) ?? append(run)
      cell.run = run
      cell.number.store(UInt(bitPattern: handle), ordering: .releasing)
    }
  }

  func remove(_ handle: OpaquePointer?) {
    guard let handle else { return }
    changes.withLock { _ in cell(UInt(bitPattern: handle))?.number.store(0, ordering: .releasing) }
  }

  /// False when no live context has this handle.
  func cancel(_ handle: OpaquePointer) -> Bool {
    guard let cell = cell(UInt(bitPattern: handle)) else { return false }
    cell.run.cancel()
    return true
  }

  private func append(_ run: RunContext) -> Cell {
    let cell = Cell(run, next: first.load(ordering: .relaxed))
    first.store(Unmanaged.passRetained(cell), ordering: .releasing)
    return cell
  }

  private func cell(_ number: UInt) -> Cell? {
    var place = first.load(ordering: .acquiring)
    while let cell = place?.takeUnretainedValue() {
      if cell.number.load(ordering: .acquiring) == number { return cell }
      place = cell.next
    }
    return nil
  }
}
