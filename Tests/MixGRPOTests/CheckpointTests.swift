import Foundation
import TestSupport
import Testing

@testable import MixGRPO

/// A folder of its own, gone after the test.
final class CheckpointPlace {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  func checkpoints(keepLast: Int = 3, keepEvery: Int = 0) throws -> CheckpointFolder {
    try CheckpointFolder(path: path, keepLast: keepLast, keepEvery: keepEvery)
  }
  func file(_ iteration: Int) -> String { "\(path)/iteration-0000000\(iteration).safetensors" }
  func tear(_ iteration: Int) throws {
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file(iteration)))
    try handle.truncate(atOffset: handle.seekToEnd() / 2)
  }
}

@Suite struct CheckpointTests {
  private func run(
    _ preset: Preset, threads: Int = 2, maxBatch: Int = 5, recomputes: Bool = false, maxBytes: Int = 0,
    precision: Precision = .float32, lora: LoRAConfiguration? = nil
  ) throws -> TinyRun {
    var (sampling, learning) = (preset.sampling, preset.learning)
    sampling.schedule = .shifted(steps: 6, shift: 3)
    sampling.groupSize = 4
    if case .all = sampling.windowMode {} else { sampling.windowLength = 2 }
    if case .progressive = sampling.windowMode { sampling.windowMode = .progressive(interval: 1, stride: 1, atEnd: .rollBack) }
    learning.policy.updatesPerIteration = 2
    learning.optimizer.learningRate = 1e-3
    learning.averageDecay = 0.9
    return try TinyRun(
      threads: threads, maxBatch: maxBatch, recomputes: recomputes, maxBytes: maxBytes, precision: precision, lora: lora,
      sampling: sampling, learning: learning)
  }

  @Test(arguments: Preset.allCases)
  func batchesMemoryAndThreadsMayDifferAfterAResumeAndChangeNoBit(preset: Preset) throws {
    let place = try CheckpointPlace()
    let whole = try run(preset)
    try whole.iterate()
    try whole.trainer.save(folder: place.path)
    for _ in 0..<2 { try whole.iterate() }
    // Less than what 64 samples at a time would take, so that they are cut.
    let bytes = try run(preset, threads: 1, maxBatch: 64, recomputes: true).trainer.memory(prompts: 2).peakBytes * 9 / 10
    for (threads, batch, recomputes, budget) in [(1, 1, false, 0), (3, 64, false, 0), (2, 5, true, 0), (1, 64, true, bytes)] {
      let resumed = try run(preset, threads: threads, maxBatch: batch, recomputes: recomputes, maxBytes: budget)
      try resumed.trainer.restore(folder: place.path)
      for _ in 0..<2 { try resumed.iterate() }
      let isSame = resumed.weights == whole.weights
      #expect(isSame, "\(threads) threads, max_batch \(batch), recomputes \(recomputes), max_bytes \(budget)")
    }
  }

  @Test(arguments: Preset.allCases)
  func aRunThatWasStoppedAfterAnyIterationGoesOnWithTheSameBits(preset: Preset) throws {
    let place = try CheckpointPlace()
    let whole = try run(preset)
    var states: [[Float]] = []
    for _ in 0..<4 {
      try whole.trainer.save(in: place.checkpoints(keepLast: 10))
      try whole.iterate()
      states.append(whole.weights)
    }
    for stop in 0..<4 {
      let resumed = try run(preset, threads: 1 + stop)
      let alone = try CheckpointPlace()
      try FileManager.default.copyItem(atPath: place.file(stop), toPath: alone.file(stop))
      #expect(try resumed.trainer.resume(from: alone.checkpoints())?.iteration == stop)
      for iteration in stop..<4 {
        try resumed.iterate()
        let isSame = resumed.weights == states[iteration]
        #expect(isSame, "stopped before \(stop), iteration \(iteration)")
      }
    }
  }

  @Test func aRunInBfloat16IsResumedWithTheSameBitsAndOnlyInBfloat16() throws {
    let place = try CheckpointPlace()
    let whole = try run(.mixGRPO, precision: .bfloat16)
    try whole.iterate()
    try whole.trainer.save(folder: place.path)
    for _ in 0..<2 { try whole.iterate() }
    let resumed = try run(.mixGRPO, threads: 3, maxBatch: 64, recomputes: true, precision: .bfloat16)
    try resumed.trainer.restore(folder: place.path)
    for _ in 0..<2 { try resumed.iterate() }
    let isSame = resumed.weights == whole.weights
    #expect(isSame)
    let error = #expect(throws: MixGRPOError.self) { try run(.mixGRPO).trainer.restore(folder: place.path) }
    #expect(error?.message.contains("precision: expected bfloat16, as saved, got float32") == true)
  }

  @Test func anAdapterIsResumedWithTheSameBits() throws {
    let place = try CheckpointPlace()
    var lora = LoRAConfiguration()
    lora.rank = 3
    let whole = try run(.mixGRPO, lora: lora)
    try whole.iterate()
    try whole.trainer.save(folder: place.path)
    let size = try FileManager.default.attributesOfItem(atPath: place.path + "/trainer.safetensors")[.size] as? Int
    #expect(try #require(size) < 4 * 6 * whole.trainer.evaluator.model.parameterCount + 20_000)
    for _ in 0..<2 { try whole.iterate() }
    let resumed = try run(.mixGRPO, threads: 3, lora: lora)
    try resumed.trainer.restore(folder: place.path)
    for _ in 0..<2 { try resumed.iterate() }
    let isSame = resumed.weights == whole.weights
    #expect(isSame)
    lora.alpha = 5
    let error = #expect(throws: MixGRPOError.self) { try run(.mixGRPO, lora: lora).trainer.restore(folder: place.path) }
    #expect(error?.message.contains("adapter") == true)
  }

  @Test func theNewestAndEveryKthAreKept() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    for _ in 0..<6 {
      try run.trainer.save(in: place.checkpoints(keepLast: 2, keepEvery: 3))
      try run.iterate()
    }
    #expect(try place.names() == [0, 3, 4, 5].map { "iteration-0000000\($0).safetensors" })
  }

  @Test func resumeTakesTheNewestCompleteCheckpointAndReportsIncompleteOnes() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    for _ in 0..<4 {
      try run.trainer.save(in: place.checkpoints(keepLast: 4))
      try run.iterate()
    }
    try place.tear(3)
    try Data(repeating: 0, count: 100).write(to: URL(fileURLWithPath: place.file(2)))
    let resumed = try TinyRun()
    let resumption = try #require(try resumed.trainer.resume(from: place.checkpoints()))
    #expect(resumption.iteration == 1 && resumption.path == place.file(1))
    #expect(resumption.skipped.map { $0.hasPrefix(place.file(3)) || $0.hasPrefix(place.file(2)) } == [true, true])
    // The next save removes the incomplete ones and does not mistake them for checkpoints of an earlier run.
    try resumed.trainer.save(in: place.checkpoints(keepLast: 1))
    #expect(try place.names() == ["iteration-00000001.safetensors"])
  }

  @Test func aFolderOfIncompleteCheckpointsIsAnErrorAndAnEmptyFolderHasNone() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    #expect(try run.trainer.resume(from: place.checkpoints()) == nil)
    #expect(try run.trainer.resume(from: CheckpointFolder(path: place.path + "/none")) == nil)
    try run.trainer.save(in: place.checkpoints())
    try place.tear(0)
    let before = run.weights
    let error = #expect(throws: MixGRPOError.self) { try run.trainer.resume(from: place.checkpoints()) }
    #expect(error?.code == .invalidFormat && error?.message.contains(place.file(0)) == true)
    #expect(run.weights == before)
  }

  @Test func aCheckpointThatCannotBeReadIsNotSkipped() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    for _ in 0..<2 {
      try run.trainer.save(in: place.checkpoints(keepLast: 4))
      try run.iterate()
    }
    try FileManager.default.removeItem(atPath: place.file(1))
    try FileManager.default.createSymbolicLink(atPath: place.file(1), withDestinationPath: place.file(1))
    let (resumed, fresh) = (try TinyRun(), try TinyRun())
    #expect(try errorCode { try resumed.trainer.resume(from: place.checkpoints()) } == .inputOutput)
    #expect(resumed.trainer.iteration == 0 && resumed.weights == fresh.weights)
  }

  @Test func onlyAMissingFolderMeansThatThereIsNoCheckpoint() throws {
    let place = try CheckpointPlace()
    let (loop, file) = (place.path + "/loop", place.path + "/file")
    try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
    try Data().write(to: URL(fileURLWithPath: file))
    let run = try TinyRun()
    for path in [loop, file, file + "/below", loop + "/below"] {
      #expect(try errorCode { try run.trainer.resume(from: CheckpointFolder(path: path)) } == .inputOutput, "\(path)")
    }
    #expect(try run.trainer.resume(from: CheckpointFolder(path: place.path + "/none")) == nil)
  }

  @Test func anotherRunsLaterCheckpointsAreNotRemoved() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    try run.iterate()
    try run.trainer.save(in: place.checkpoints())
    let fresh = try TinyRun()
    let error = #expect(throws: MixGRPOError.self) { try fresh.trainer.save(in: place.checkpoints(keepLast: 1)) }
    #expect(error?.code == .invalidState && error?.message.contains("iteration 1") == true)
    #expect(try place.names() == ["iteration-00000001.safetensors"])
  }

  /// The file is sound in itself, with a checksum; one number in it is none that a run can have.
  @Test(arguments: [
    ("optimizer", "rate_factor", JSONValue.number(-1)), ("optimizer", "rate_factor", .number(0)),
    ("optimizer", "rate_factor", .number(1.5)), ("optimizer", "steps", .integer(-1)), ("optimizer", "steps", .integer(.max)),
    ("progress", "iteration", .integer(.max)), ("progress", "window_start", .integer(99)),
  ])
  func aNumberThatNoRunCanHaveIsInvalidFormat(section: String, field: String, value: JSONValue) throws {
    let place = try CheckpointPlace()
    let run = try run(.mixGRPO)
    let sections = run.trainer.checkpointSections.map { saved in
      var state = saved.state
      if saved.name == section { state[field] = value }
      return CheckpointSection(name: saved.name, state: state, tensors: saved.tensors, prepare: saved.prepare)
    }
    let file = CheckpointFile(format: "mixgrpo-trainer-3", settings: CheckpointSettings(run.trainer), sections: sections)
    try file.write(to: "\(place.path)/trainer.safetensors")
    do {
      try run.trainer.restore(folder: place.path)
      Issue.record("loaded")
    } catch {
      #expect(error.code == .invalidFormat && error.message.contains(field))
    }
  }

  @Test func weightsBeyondBFloat16AreRefusedBeforeAnythingIsWritten() throws {
    let place = try CheckpointPlace()
    let model = try run(.mixGRPO).trainer.model(.trained)
    let path = "\(place.path)/model"
    model.writableWeights()[3] = 3.4e38
    do {
      try model.save(folder: path, precision: .bfloat16)
      Issue.record("saved")
    } catch {
      #expect(error.code == .notFinite && error.message.hasPrefix(model.parameters[0].name))
    }
    #expect(try place.names().isEmpty)
    try model.save(folder: path, precision: .float32)
    #expect(try errorCode { try model.save(folder: "\(place.path)/none/model") } == .inputOutput)
  }

  @Test func sizesInAFileThatNoModelHasAreInvalidFormat() throws {
    var json = try run(.mixGRPO).trainer.model(.trained).configuration.json
    for (key, value) in [("axes_dims_rope", [2, 2, 2, 2] as JSONValue), ("num_layers", 5_000)] {
      let kept = json[key]
      json[key] = value
      do {
        _ = try FlowTransformerConfiguration(json: json, source: "config.json")
        Issue.record("accepted")
      } catch {
        #expect(error.code == .invalidFormat && error.message.contains(key))
      }
      json[key] = kept
    }
  }

  @Test func aHostsWindowIsPartOfTheState() throws {
    let place = try CheckpointPlace()
    let whole = try TinyRun()
    whole.trainer.window = SDEWindow(start: 4, length: 3)
    try whole.iterate()
    try whole.trainer.save(folder: place.path)
    let resumed = try TinyRun()
    try resumed.trainer.restore(folder: place.path)
    #expect(resumed.trainer.window == SDEWindow(start: 4, length: 3))
    #expect(try resumed.iterate().window == whole.iterate().window)
    #expect(resumed.weights == whole.weights)
  }

  @Test func differingSettingsAreNamedAsInTheHeader() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun(learning: TinyRun.learning { $0.averageDecay = 0.5 })
    try run.trainer.save(folder: place.path)
    let other = try TinyRun(
      sampling: TinyRun.configuration {
        $0.dynamics = .dance(noiseLevel: 0.3)
        $0.windowMode = .frozen(start: 1)
        $0.flash = FlashTail()
      },
      learning: TinyRun.learning {
        $0.averageDecay = 0.5
        $0.optimizer.learningRate = 2e-3
        $0.policy.referencePenalty = 1
      })
    let error = #expect(throws: MixGRPOError.self) { try other.trainer.restore(folder: place.path) }
    for part in [
      "learning_rate: expected 0.001, as saved, got 0.002", "dynamics: expected flow, as saved, got dance",
      "noise_level: expected 0.7, as saved, got 0.3", "window_mode: expected progressive, as saved, got frozen",
      "window_start: expected 0, as saved, got 1", "flash_ratio: expected 0.0, as saved, got 0.4",
      "kl_reference: expected 0.0, as saved, got 1.0",
    ] { #expect(error?.message.contains(part) == true, "\(part)") }
    #expect(error?.message.contains("clip_range") == false)
  }

  @Test func theVersionIsTheHeaders() throws {
    let path = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../include/mixgrpo.h").standardized.path
    let header = try String(contentsOfFile: path, encoding: .utf8)
    let numbers = libraryVersion.split(separator: ".")
    try #require(numbers.count == 3)
    for (part, number) in zip(["MAJOR", "MINOR", "PATCH"], numbers) {
      #expect(header.contains("#define MIXGRPO_VERSION_\(part) \(number)\n"))
    }
  }

  @Test func savingAndLoadingAreNotStoppedByACancel() throws {
    let place = try CheckpointPlace()
    let run = try TinyRun()
    run.context.cancel()
    try run.trainer.save(in: place.checkpoints())
    try run.trainer.save(folder: place.path)
    try run.trainer.restore(folder: place.path)
    #expect(try run.trainer.resume(from: place.checkpoints())?.iteration == 0)
  }
}
