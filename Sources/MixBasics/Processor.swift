internal import CProcessor

/// What the processor of this machine offers.
package enum Processor {
  /// Cores that this process may use, by its affinity mask and the quota of its control groups; 1…1024.
  package static var availableCores: Int { CoreCount.available }

  /// The cores of each of several processes that share the machine; 1…1024.
  package static func cores(ofEachOf processes: Int) -> Int { CoreCount.share(ofProcesses: processes) }

  /// Whether it has AVX-512, and the system lets it be used.
  package static var hasAVX512: Bool {
    #if arch(x86_64)
    mixgrpo_missing_instructions(1) == nil
    #else
    false
    #endif
  }

  #if MIXGRPO_AVX512
  private static let instructions = "AVX-512 (x86-64-v4)"
  private static let needsAVX512: Int32 = 1
  #else
  private static let instructions = "AVX2 and FMA (x86-64-v3)"
  private static let needsAVX512: Int32 = 0
  #endif

  /// The kernels are compiled for some processors; on others, or under an emulator such as valgrind, they would raise SIGILL.
  /// - Throws: `unsupported` naming the missing instructions.
  static func requireInstructions() throws(MixGRPOError) {
    #if arch(x86_64)
    guard let missing = mixgrpo_missing_instructions(needsAVX512) else { return }
    throw MixGRPOError(.unsupported, "processor: expected \(instructions), got one without \(String(cString: missing))")
    #endif
  }
}
