import Foundation
import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

/// A run's folder in a temporary place.
private final class RunPlace {
  let folder: RunFolder

  init() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    folder = RunFolder(path: path)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder.path) }

  func write(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: folder.metrics)) }

  func metrics() throws -> String { try String(contentsOfFile: folder.metrics, encoding: .utf8) }
}

struct RunFolderTests {
  @Test func cuttingDropsLaterLinesAndAnIncompleteLastLine() throws {
    let place = try RunPlace()
    try place.write("{\"iteration\":0}\n{\"iteration\":1}\n{\"iteration\":2}\n{\"itera")
    try place.folder.cut(place.folder.metrics, before: 2)
    #expect(try place.metrics() == "{\"iteration\":0}\n{\"iteration\":1}\n")
  }

  @Test func aLineThatCannotBeReadIsAnErrorAndNotRemoved() throws {
    let place = try RunPlace()
    for line in ["{\"iteration\":", "[1]", "{\"step\":1}", "{\"iteration\":\"1\"}"] {
      let text = "{\"iteration\":0}\n\(line)\n{\"iteration\":2}\n"
      try place.write(text)
      let error = #expect(throws: MixGRPOError.self) { try place.folder.cut(place.folder.metrics, before: 9) }
      #expect(error?.code == .invalidFormat && error?.message.contains("metrics.jsonl, line 2") == true, "\(line)")
      #expect(try place.metrics() == text)
    }
  }

  @Test func aMissingFileHasNoLines() throws {
    let place = try RunPlace()
    #expect(try place.folder.lines(place.folder.metrics).isEmpty)
    #expect(try !place.folder.isTaken && !place.folder.hasEvaluation)
  }

  @Test func aFileThatCannotBeLookedAtIsAnInputOutputError() throws {
    let place = try RunPlace()
    let (metrics, checkpoints) = (place.folder.metrics, place.folder.checkpoints)
    for path in [metrics, checkpoints] { try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path) }
    #expect(try errorCode { try place.folder.lines(metrics) } == .inputOutput)
    #expect(try errorCode { try place.folder.cut(metrics, before: 0) } == .inputOutput)
    #expect(try errorCode { try place.folder.isTaken } == .inputOutput)
    #expect(try errorCode { try place.folder.hasEvaluation } == .inputOutput)
    #expect(try errorCode { try place.folder.prepare(resuming: true) } == .inputOutput)
  }
}
