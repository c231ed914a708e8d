import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Information about the machine.
enum Machine {
  /// Cores that this process may use.
  static var cores: Int { Processor.availableCores }

  /// The average number of running or waiting processes over the last minute; 0 where the system does not report it.
  static var load: Double {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : 0
  }

  /// The name of the processor, where the system reports it.
  static var processor: String {
    guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown processor" }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) >= 0, let text = line.map({ String(cString: $0) }) {
      guard text.hasPrefix("model name"), let value = text.split(separator: ":", maxSplits: 1).last else { continue }
      return String(value.drop { $0 == " " }.prefix { $0 != "\n" })
    }
    return "unknown processor"
  }
}
