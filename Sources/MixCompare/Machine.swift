import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the machine tells about itself.
enum Machine {
  /// That this process may keep busy.
  static var cores: Int { Processor.availableCores }

  /// Programs that ran or waited over the last minute, on average; 0 where the system does not tell.
  static var load: Double {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : 0
  }

  /// The processor's name where the system tells it.
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

  static func flushOutput() { fflush(nil) }
}
