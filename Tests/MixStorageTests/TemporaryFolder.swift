import Glibc
import MixBasics
import Testing

@testable import MixStorage

/// A folder that goes, with what is in it, when its test ends.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array("/tmp/mixstorage-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/mixstorage-none"
  }

  deinit { removeTree(path) }

  func file(_ name: String) -> String { FileAccess.join(path, name) }

  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try AtomicFile.write(bytes, to: file(name))
    return file(name)
  }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

  /// Names in the folder, sorted.
  var names: [String] { namesInFolder(path) }
}

private func namesInFolder(_ path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

private func removeTree(_ path: String) {
  if remove(path) == 0 { return }
  for name in namesInFolder(path) { removeTree(FileAccess.join(path, name)) }
  rmdir(path)
}

func fixture(_ name: String) -> String {
  FileAccess.join(FileAccess.join(FileAccess.folder(of: #filePath), "Fixtures"), name)
}

func content(of path: String) throws -> [UInt8] { try FileAccess.read(path, limit: 1 << 20) }

func text(of path: String) throws -> String { String(decoding: try content(of: path), as: UTF8.self) }

/// The library's error that `body` throws, nil when it throws none or another.
func libraryError(_ body: () throws -> Void) -> MixGRPOError? {
  do { try body() } catch let error as MixGRPOError { return error } catch { Issue.record(error) }
  return nil
}

/// (i − 3) / 6, as the fixtures hold it.
func sixths(_ count: Int) -> [Float] { (0..<count).map { Float($0 - 3) / 6 } }
