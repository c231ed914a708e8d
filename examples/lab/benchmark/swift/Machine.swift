import MixBasics
import MixGRPO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// 0 means one per core.
func resolvedThreads(_ threads: Int) -> Int { threads > 0 ? threads : Machine.cores }

func flushOutput() { fflush(nil) }

enum Machine {
  static var cores: Int { Processor.availableCores }

  /// Programs that ran or waited over the last minute, on average; 0 where the system does not say.
  static var load: Double {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : 0
  }

  static func canWrite(into folder: String) -> Bool { access(folder, W_OK) == 0 }

  /// The processor's name where the system gives it.
  static var processor: String {
    let line = lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
    return name ?? "unknown processor"
  }

  static func lines(of path: String) -> [String] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    return lines(of: file)
  }

  static func lines(of file: UnsafeMutablePointer<FILE>) -> [String] {
    var lines: [String] = []
    var buffer: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(buffer) }
    while getline(&buffer, &capacity, file) >= 0 {
      if let buffer { lines.append(String(String(cString: buffer).prefix { $0 != "\n" })) }
    }
    return lines
  }
}

/// The most memory that this process has held in RAM at once; 0 where the system does not say.
enum PeakMemory {
  static func bytes() -> Int {
    let line = Machine.lines(of: "/proc/self/status").first { $0.hasPrefix("VmHWM") }
    return (line?.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0) * 1_024
  }

  /// Resets the peak to the memory held now, where the system can.
  static func reset() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
  }
}

/// Runs this program again with other arguments.
enum OwnProcess {
  /// - Returns: the last line of its output.
  /// - Throws: `inputOutput` when it cannot be run or fails.
  static func run(_ arguments: [String]) throws -> String {
    let command = ([executable] + arguments).map {
      "'"
        + $0.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''") + "'"
    }.joined(separator: " ")
    guard let pipe = popen(command, "r") else {
      throw MixGRPOError(.inputOutput, "\(command): expected a process, got \(String(cString: strerror(errno)))")
    }
    let output = Machine.lines(of: pipe)
    let status = pclose(pipe)
    guard status == 0, let line = output.last else {
      throw MixGRPOError(.inputOutput, "\(command): expected a measurement, got exit status \(status >> 8)")
    }
    return line
  }

  private static var executable: String {
    var path = [CChar](repeating: 0, count: 4_096)
    let length = readlink("/proc/self/exe", &path, path.count - 1)
    guard length > 0 else { return CommandLine.arguments.first ?? "benchmark" }
    return String(decoding: path[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
