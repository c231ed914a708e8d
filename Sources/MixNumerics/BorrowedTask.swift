/// The body of a stage, borrowed for as long as the stage lasts, so that other threads can call it.
///
/// `BoxedTask` does the same within the rules of the language, but allocates memory for every stage. This version does not. It
/// relies on how Swift passes closures, which is not documented, so it is compiled only with versions of the compiler that it
/// has been tested with. Other versions, and builds with `-D MIXGRPO_BOXED_TASKS`, use `BoxedTask`. Results are the same.
#if compiler(>=6.2) && compiler(<6.4) && !MIXGRPO_BOXED_TASKS

/// A closure that does not escape is two words: a function, and a pointer to what it captures on its owner's stack. As an
/// argument it is passed as these two words. So it is handed to a function that takes two pointers, and called through a
/// function that passes them on. The structs around the functions keep their calling convention while their type changes.
struct BorrowedTask {
  typealias Body = (_ task: Int, _ worker: Int) -> Void

  private let function: UnsafeRawPointer
  private let captures: UnsafeRawPointer?

  private struct TakesBody { let call: (Body) -> BorrowedTask }
  private struct TakesWords { let call: (UnsafeRawPointer, UnsafeRawPointer?) -> BorrowedTask }
  private struct RunsBody { let call: (Body, Int, Int) -> Void }
  private struct RunsWords { let call: (UnsafeRawPointer, UnsafeRawPointer?, Int, Int) -> Void }

  private init(words function: UnsafeRawPointer, _ captures: UnsafeRawPointer?) {
    (self.function, self.captures) = (function, captures)
  }

  /// Calls `stage` with a task that runs `body`; it may be used until `stage` returns.
  ///
  /// Optimization is off here so that `body` and its captures are certain to live until `stage` returns: the compiler makes no
  /// copy of this function for a known closure, and does not inline it where the captures could end early.
  @inline(never) @_optimize(none)
  static func lend(_ body: Body, to stage: (BorrowedTask) -> Void) { stage(BorrowedTask(body)) }

  private init(_ body: Body) {
    self = unsafeBitCast(TakesWords(call: Self.keep), to: TakesBody.self).call(body)
  }

  func run(_ task: Int, _ worker: Int) {
    unsafeBitCast(RunsBody(call: Self.run), to: RunsWords.self).call(function, captures, task, worker)
  }

  @inline(never)
  private static func keep(_ function: UnsafeRawPointer, _ captures: UnsafeRawPointer?) -> BorrowedTask {
    BorrowedTask(words: function, captures)
  }

  @inline(never)
  private static func run(_ body: Body, _ task: Int, _ worker: Int) { body(task, worker) }
}

#else

typealias BorrowedTask = BoxedTask

#endif

/// The body of a stage in a box that threads share.
struct BoxedTask {
  typealias Body = (_ task: Int, _ worker: Int) -> Void

  /// Only the box holds the closure: `withoutActuallyEscaping` stops the process if anything else still holds it at its end.
  private final class Box {
    var body: Body?

    init(_ body: @escaping Body) { self.body = body }

    @inline(never)
    func run(_ task: Int, _ worker: Int) { body?(task, worker) }
  }

  private let box: Box

  /// Calls `stage` with a task that runs `body`; after `stage` returns, the task does nothing.
  static func lend(_ body: Body, to stage: (BoxedTask) -> Void) {
    withoutActuallyEscaping(body) { body in
      let box = Box(body)
      stage(BoxedTask(box: box))
      box.body = nil
    }
  }

  func run(_ task: Int, _ worker: Int) { box.run(task, worker) }
}
