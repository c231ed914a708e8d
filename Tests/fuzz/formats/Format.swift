import MixBasics
import MixGRPO
import MixStorage

/// What can be read from outside.
enum Format: String, CaseIterable {
  case json, configuration, safetensors, index, model, checkpoint, png, captions, words, metrics

  /// Pieces that inputs are made of, beside those of the samples.
  var tokens: [String] {
    switch self {
    case .png:
      ["IHDR", "IDAT", "IEND", "PLTE", "tRNS", "tEXt", "iTXt", "zTXt", "gAMA", "sRGB", "cHRM", "iCCP", "bKGD", "\u{0}"]
    case .words: [" ", "a red circle", "é", "🌙", "\u{0}", "#1", "A", "0"]
    default:
      [
        "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-0", "1e308", "0.5", "\\u0000", "\\ud83c\\udf19", "\\", "\n", "é",
        "F32", "F16",
        "BF16", "I64", "shape", "data_offsets", "dtype", "__metadata__", "weight_map", "../", "/etc/passwd", "a.safetensors",
        "file_name",
        "text", "0.png", "[[[[[[[[", "num_layers", "axes_dims_rope", "_class_name", "iteration", "weights",
      ]
    }
  }
}

/// Reads one input after the other as a format, and checks what must hold of whatever is accepted.
final class Reader {
  let format: Format
  let scratch: Scratch
  let small: SmallWorld

  init(_ format: Format) throws(MixGRPOError) {
    self.format = format
    scratch = try Scratch()
    small = try SmallWorld(scratch)
  }

  /// "accepted", or the message of the refusal.
  func read(_ input: [UInt8]) -> String {
    do throws(MixGRPOError) {
      try accept(input)
      return "accepted"
    } catch {
      let expected: [MixGRPOError.Code] = [
        .invalidFormat, .invalidArgument, .unsupported, .inputOutput, .notFinite, .outOfMemory,
      ]
      expect(expected.contains(error.code), "a refusal that is no fault of the library: \(error)")
      expect(!error.message.isEmpty && !error.message.utf8.contains(10), "a message of one line: \(error)")
      expect(error.message.utf8.count < 10_000, "a short message, got \(error.message.utf8.count) bytes")
      return error.message
    }
  }

  private func accept(_ input: [UInt8]) throws(MixGRPOError) {
    switch format {
    case .json: try acceptJSON(input)
    case .configuration: try acceptConfiguration(input)
    case .safetensors: try acceptSafetensors(input)
    case .index: try acceptIndex(input)
    case .model: try acceptModel(input)
    case .checkpoint: try acceptCheckpoint(input)
    case .png: try acceptPNG(input)
    case .captions: try acceptCaptions(input)
    case .words: try acceptWords(input)
    case .metrics: try acceptMetrics(input)
    }
  }
}
