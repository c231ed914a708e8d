/// The body of a stage, borrowed while the stage lasts, so that other threads can call it.
///
/// `withoutActuallyEscaping` copies a closure to the heap before it can be stored: an allocation for every stage. The first
/// version below avoids it by relying on how Swift passes closures, which no document promises. It is used with compilers that
/// it has been tested with; all others, and builds with `-D MIXGRPO_BOXED_TASKS`, use the second version, which relies on
/// nothing. Results are the same.
#if compiler(>=6.2) && compiler(<6.4) && !MIXGRPO_BOXED_TASKS

  /// A closure that does not escape is two words, a function and a pointer to what it captures on its owner's stack, and as an
  /// argument it is passed as these two. So it is handed to a function that takes two pointers, and called through one that
  /// gives them. Structs around the functions keep their calling convention while their type changes.
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

    /// Runs a stage of `team` with `body`.
    ///
    /// Not optimized, so that `body` and what it captures certainly live until the stage is done: no copy of this function is made
    /// that knows the closure, and none is inlined where its captures could be given up once their address is taken.
    @inline(never) @_optimize(none)
    static func lend(_ body: Body, to team: Team, _ first: Int, _ count: Int) {
      team.runStage(first, count, BorrowedTask(body))
    }

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

  struct BorrowedTask {
    typealias Body = (_ task: Int, _ worker: Int) -> Void

    /// Threads share the box and not the closure: at the end of `withoutActuallyEscaping` nobody else may hold that.
    private final class Box {
      var body: Body?

      init(_ body: @escaping Body) { self.body = body }

      @inline(never)
      func run(_ task: Int, _ worker: Int) { body?(task, worker) }
    }

    private let box: Box

    /// Runs a stage of `team` with `body`.
    static func lend(_ body: Body, to team: Team, _ first: Int, _ count: Int) {
      withoutActuallyEscaping(body) { body in
        let box = Box(body)
        team.runStage(first, count, BorrowedTask(box: box))
        box.body = nil
      }
    }

    func run(_ task: Int, _ worker: Int) { box.run(task, worker) }
  }

#endif
