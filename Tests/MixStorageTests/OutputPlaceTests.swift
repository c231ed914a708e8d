import Foundation
import MixStorage
import TestSupport
import Testing

/// What is in the way of a result is found before the work.
struct OutputPlaceTests {
  private final class Place {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path) }
  }

  @Test func aFreePlaceIsFreeAndAFileIsReported() throws {
    let place = try Place()
    #expect(try OutputPlace.requireFile(place.path + "/a.png") == false)
    #expect(try place.names().isEmpty)
    try Data().write(to: URL(fileURLWithPath: place.path + "/a.png"))
    #expect(try OutputPlace.requireFile(place.path + "/a.png") == true)
    #expect(try place.names() == ["a.png"])
  }

  @Test func aFolderInThePlaceOfAFileIsAnError() throws {
    let place = try Place()
    #expect(try errorCode { try OutputPlace.requireFile(place.path) } == .inputOutput)
    #expect(try errorCode { try OutputPlace.requireFile(place.path + "/none/a.png") } == .inputOutput)
    #expect(try errorCode { try OutputPlace.requireFile("/proc/a.png") } == .inputOutput)
  }

  @Test func aFolderMayBeMissingButNoFileMayBeAboveIt() throws {
    let place = try Place()
    try OutputPlace.requireFolder(place.path)
    try OutputPlace.requireFolder(place.path + "/a/b/c/")
    #expect(try place.names().isEmpty)
    try Data().write(to: URL(fileURLWithPath: place.path + "/file"))
    for below in ["/file", "/file/", "/file/run", "/file/a/b"] {
      #expect(try errorCode { try OutputPlace.requireFolder(place.path + below) } == .inputOutput, "\(below)")
    }
    #expect(try errorCode { try OutputPlace.requireFolder("/proc/run") } == .inputOutput)
  }
}
