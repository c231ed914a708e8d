import MixStorage
import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The small model that comes with the command.
package enum ShippedModel {
  /// Names its folder in the environment.
  package static let variable = "MIXGRPO_BASE"

  /// `given`, or the shipped model's folder when nothing is given.
  /// - Throws: `inputOutput` naming the places where it was looked for.
  package static func folder(unless given: String) throws(MixGRPOError) -> String {
    if !given.isEmpty { return given }
    let places = try places()
    for place in places where try WeightFolder.holdsModel(place) { return place }
    throw MixGRPOError(
      .inputOutput,
      "model: expected a model folder (--model, or \(variable) in the environment), got none, and no model in "
        + places.joined(separator: ", "))
  }

  /// In the order of precedence: what the environment says, the installation of this executable, the checkout that it was built in,
  /// and the current folder.
  private static func places() throws(MixGRPOError) -> [String] {
    if let set = getenv(variable).map({ String(cString: $0) }), !set.isEmpty { return [set] }
    var folders: [String] = []  // of the executable, and above
    var place = executable()
    while let slash = place.lastIndex(of: "/"), folders.count < 6 {
      place = String(place[..<slash])
      folders.append(place)
    }
    let installed = folders.dropFirst().first.map { [$0 + "/share/mixgrpo/base"] } ?? []
    var checkouts: [String] = []
    for folder in folders.dropFirst(2) where try FileAccess.isPresent(folder + "/Package.swift") {
      checkouts.append(folder + "/examples/base")
    }
    return installed + checkouts + ["examples/base"]
  }

  /// The path of this process's executable, without links; empty where the system does not say.
  private static func executable() -> String {
    var path = [CChar](repeating: 0, count: 1 << 12)
    let count = readlink("/proc/self/exe", &path, path.count)
    return count > 0 ? String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
  }
}
