import COpenBLAS
import Glibc
import MixBasics
import MixNumerics

/// The fastest single-precision matrix product that all threads reach together: the reference for a model's arithmetic.
///
/// The product is OpenBLAS's `sgemm`, not the library's own, so that the measure is independent of what is measured. Each thread
/// multiplies its own square matrices; the best of three sizes counts.
enum ProductPeak {
  /// Begins this process anew with kernels for this processor, where OpenBLAS is older than the processor: it then takes it for a
  /// Prescott, whose products have a third of the speed. OpenBLAS chooses when it is loaded.
  static func requireKernelsOfThisProcessor() throws {
    let variable = "OPENBLAS_CORETYPE"
    guard getenv(variable) == nil, String(cString: openblas_get_corename()) == "Prescott" else { return }
    setenv(variable, Processor.hasAVX512 ? "SkylakeX" : "Haswell", 1)
    execv("/proc/self/exe", CommandLine.unsafeArgv)
    throw MixGRPOError(.internalFault, "\(variable): OpenBLAS does not know this processor; set it to Haswell or SkylakeX")
  }

  /// Floating-point operations per second.
  static func measure(threads: Int, seconds: Double = 1.5) throws -> Double {
    openblas_set_num_threads(1)
    return try [256, 512, 1_024].map { try measure(size: $0, threads: threads, seconds: seconds / 3) }.max() ?? 0
  }

  /// The best of many rounds, each of which gives every thread a few products.
  private static func measure(size: Int, threads: Int, seconds limit: Double) throws -> Double {
    let storage = try FloatStorage(count: threads * 3 * size * size)
    for index in 0..<storage.count { storage.base[index] = Float(index % 13) - 6 }
    let operations = 2 * Double(size) * Double(size) * Double(size)
    let products = max(1, Int(2e9 / operations))
    let started = ContinuousClock.now
    var best = 0.0
    repeat {
      let round = ContinuousClock.now
      // One task per thread, so that no two tasks share matrices at a time.
      Workers(threads: threads).forEach(threads) { task, _ in multiply(storage.base, task, size, products) }
      best = max(best, operations * Double(products * threads) / seconds(since: round))
    } while seconds(since: started) < limit
    return best
  }

  private static func multiply(_ base: UnsafeMutablePointer<Float>, _ task: Int, _ size: Int, _ products: Int) {
    func matrix(_ index: Int) -> UnsafeMutablePointer<Float> { base + (3 * task + index) * size * size }
    let count = Int32(size)
    for _ in 0..<products {
      cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, count, count, count, 1, matrix(0), count, matrix(1), count, 0, matrix(2), count
      )
    }
  }
}
