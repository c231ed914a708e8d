#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the machine offers.
package enum Processor {
  /// Cores, 1…1024.
  package static var availableCores: Int { min(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1024) }

  /// The kernels are compiled for x86-64-v3; on an older processor they would end the process.
  /// - Throws: `unsupported` naming what is missing.
  static func requireInstructions() throws(MixGRPOError) {
    guard !missingInstructions.isEmpty else { return }
    throw MixGRPOError(
      .unsupported, "processor: expected AVX2 and FMA (x86-64-v3), got one without \(missingInstructions.joined(separator: ", "))")
  }

  #if arch(x86_64)
  private static let missingInstructions: [String] = {
    guard let flags = cpuFlags() else { return [] }
    return ["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"].filter { !flags.contains($0) }
  }()

  /// The flags that the kernel reports for the first core; nil where it reports none.
  private static func cpuFlags() -> Set<String>? {
    guard let file = fopen("/proc/cpuinfo", "r") else { return nil }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) >= 0, let text = line.map({ String(cString: $0) }) {
      guard text.hasPrefix("flags") else { continue }
      return Set(text.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init))
    }
    return nil
  }
  #else
  private static let missingInstructions: [String] = []
  #endif
}
