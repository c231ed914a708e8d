import ArgumentParser
import Dispatch
import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@main
struct Align: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Aligns a flow model with a taste: pictures taken at night.",
    discussion: """
      The model draws groups of pictures of the procedural world, this program scores them, and the library updates the \
      model with MixGRPO. The captions never mention the sky, so a model can earn the reward and still follow its \
      prompts. How well it follows them is measured too, but never trained. The same program in C, C++, Python and Rust \
      gives the same numbers to the last bit.

      Writes to the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the \
      model, aligned/. Ctrl-C ends the training early and keeps the result.
      """)

  @Option(help: "Folder of the base model.") var model = "examples/base"
  @Option(help: "Folder for the results.") var out = "out"
  @Option(help: "Rollouts and updates.") var iterations = 24
  @Option(help: "Steps from noise to picture in the evaluation.") var evalSteps = Alignment.steps
  @Option(help: "Rate of AdamW.") var learningRate = 2e-5
  @Option(help: "Seed of the training's noise.") var seed: UInt64 = 0
  @Option(help: "Worker threads; 0 for one per core.") var threads = 0

  func validate() throws {
    guard iterations >= 0 else { throw ValidationError("--iterations: expected at least 0, got \(iterations)") }
    guard threads >= 0 else { throw ValidationError("--threads: expected at least 0, got \(threads)") }
  }

  func run() throws {
    let start = ContinuousClock.now
    let context = try RunContext(threads: threads)
    let alignment = try Alignment(model: model, learningRate: learningRate, seed: seed, context: context)
    try enterOutputFolder()
    let before = try alignment.evaluate(steps: evalSteps)
    try before.saveGrid(to: "before.png")
    print(formatted("before: night taste %.3f, prompt match %.3f", before.taste, before.match))
    let modelCalls = try train(alignment, context)
    let after = try alignment.evaluate(steps: evalSteps)
    try after.saveGrid(to: "after.png")
    try alignment.trainer.model(.trained).save(folder: "aligned", precision: .bfloat16)
    try Summary(before: before, after: after, modelCalls: modelCalls, seconds: seconds(since: start)).report()
  }

  /// Returns the number of model calls.
  private func train(_ alignment: Alignment, _ context: RunContext) throws -> Int {
    let interrupt = cancelOnInterrupt(context)
    defer { interrupt.cancel() }
    let log = try MetricsLog(path: "metrics.jsonl")
    let start = ContinuousClock.now
    var modelCalls = 0
    do {
      for iteration in 0..<iterations {
        let metrics = try alignment.step(iteration)
        try log.append(metrics.json)
        modelCalls += metrics.modelCallsRollout + metrics.modelCallsUpdate
        showProgress(iteration + 1, metrics.rewardMean, elapsed: seconds(since: start))
      }
    } catch let error as MixGRPOError where error.code == .cancelled {
      context.resetCancel()
    }
    return modelCalls
  }

  private func showProgress(_ done: Int, _ reward: Double, elapsed: Double) {
    let left = Int(elapsed / Double(done) * Double(iterations - done))
    print(formatted("%3d/%d  night taste %.3f  %d:%02d left", done, iterations, reward, left / 60, left % 60))
    fflush(nil)
  }

  private func cancelOnInterrupt(_ context: RunContext) -> any DispatchSourceSignal {
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { context.cancel() }
    source.setCancelHandler { signal(SIGINT, SIG_DFL) }
    source.resume()
    return source
  }

  private func enterOutputFolder() throws {
    guard (mkdir(out, 0o777) == 0 || errno == EEXIST) && chdir(out) == 0 else {
      throw ValidationError("--out: \(out): \(String(cString: strerror(errno)))")
    }
    remove("metrics.jsonl")  // left by an earlier run; lines are appended
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - start) / .seconds(1)
  }
}
