import Glibc
import MixBasics
import MixStorage

/// A folder in memory whose files are rewritten for every input.
struct Scratch {
  let path: String

  init() throws(MixGRPOError) {
    let place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    path = "\(place)/mixgrpo-formats-\(getpid())"
    try FileAccess.createFolder(path)
  }

  func file(_ name: String) -> String { FileAccess.join(path, name) }

  /// Replaces a file's content without its storage being made anew.
  func write(_ name: String, _ bytes: [UInt8]) {
    let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    expect(descriptor >= 0, "a scratch file")
    expect(
      bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count, "room for a scratch file")
    close(descriptor)
  }

  func remove(_ name: String) { unlink(file(name)) }

  func remove() {
    for name in [
      "a.safetensors", "b.safetensors", "metadata.jsonl", "metrics.jsonl", "0.png", "trainer.safetensors",
      WeightFolder.weightsName, WeightFolder.indexName, WeightFolder.configurationName,
    ] {
      remove(name)
    }
    rmdir(path)
  }
}

/// The input in the works, in a file that outlives a crash.
final class LatestInput {
  private let memory: UnsafeMutableRawPointer
  private let descriptor: Int32
  private static let capacity = 1 << 20
  let path: String

  init(_ path: String) {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    expect(descriptor >= 0 && ftruncate(descriptor, off_t(Self.capacity)) == 0, "a place for the latest input")
    let mapped = mmap(nil, Self.capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    expect(mapped != MAP_FAILED, "a place for the latest input")
    memory = mapped ?? UnsafeMutableRawPointer(bitPattern: 1)!
  }

  /// Length (8 bytes), then the bytes.
  func note(_ input: [UInt8]) {
    memory.storeBytes(of: input.count, as: Int.self)
    input.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress { (memory + 8).copyMemory(from: base, byteCount: min(bytes.count, Self.capacity - 8)) }
    }
  }

  /// All went well: nothing is left.
  func remove() {
    munmap(memory, Self.capacity)
    close(descriptor)
    unlink(path)
  }
}

/// Ends the campaign when something that must hold does not.
func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
  if !holds { fatalError("not so: \(what())") }
}
