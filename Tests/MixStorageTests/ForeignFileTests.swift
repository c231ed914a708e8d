import MixBasics
import Testing

@testable import MixStorage

@Suite struct ForeignFileTests {
  private let folder = TemporaryFolder()

  @Test(arguments: [
    ("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer; git lfs pull fetches the file itself"),
    ("PK\u{3}\u{4}0000000000", "a ZIP archive, as PyTorch and NumPy write it"), ("GGUF0000000", "a GGUF file"),
    ("<!DOCTYPE html>", "an HTML page"), ("ein grüner Kreis\n", "a text file"),
  ])
  func aFileThatIsNoSafetensorsIsRefusedByName(content: String, name: String) throws {
    let path = try folder.write(content, to: "a.safetensors")
    let error = libraryError { _ = try SafetensorsFile(path: path) }
    #expect(error?.code == .invalidFormat && error?.message.hasSuffix("expected a safetensors file, got \(name)") == true)
    #expect(
      libraryError { _ = try PNG.decode(Array(content.utf8)) }?.message.hasSuffix("signature of a PNG, got \(name)") == true)
  }
}
