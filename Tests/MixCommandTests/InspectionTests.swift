import Foundation
import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

struct InspectionTests {
  /// The report of a safetensors file without tensors but with metadata.
  private func report(_ metadata: [(String, String)]) throws -> JSONObject {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try SafetensorsWriter.write([], precision: .float32, metadata: metadata, to: path)
    return try Inspection.report(of: path)
  }

  @Test func aCheckpointWithProgressThatIsNoJSONIsAnError() throws {
    let format = ("format", "mixgrpo-trainer-1")
    #expect(try report([format, ("progress", "{\"iteration\":3}")])["iteration"]?.integer == 3)
    #expect(try errorCode { try report([format, ("progress", "{\"iteration\":")]) } == .invalidFormat)
  }

  @Test func metadataThatOnlyLookLikeJSONAreShownAsText() throws {
    let metadata = try report([("note", "{not JSON"), ("object", "{\"a\":1}")])["metadata"]?.object
    #expect(metadata?["note"]?.string == "{not JSON")
    #expect(metadata?["object"]?.object?["a"]?.integer == 1)
  }

  @Test func aCheckpointThatCannotBeLookedForIsAnInputOutputError() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let checkpoint = path + "/trainer.safetensors"
    try FileManager.default.createSymbolicLink(atPath: checkpoint, withDestinationPath: checkpoint)
    #expect(try errorCode { try Inspection.report(of: path) } == .inputOutput)
  }
}
