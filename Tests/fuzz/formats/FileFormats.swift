import MixBasics
import MixFlowModel
import MixGRPO
import MixStorage

// Weights, checkpoints, pictures.

extension Reader {
  func acceptSafetensors(_ input: [UInt8]) throws(MixGRPOError) {
    scratch.write("a.safetensors", input)
    let file = try SafetensorsFile(path: scratch.file("a.safetensors"))
    var refusal: MixGRPOError?
    for tensor in file.tensors {
      expect(
        tensor.elementCount <= 8 * input.count || tensor.elementCount == 0 || tensor.type.bytesPerElement == nil,
        "elements that the file can hold")
      guard tensor.elementCount <= 1 << 16 else { continue }
      var values = [Float](repeating: 0, count: tensor.elementCount)
      do throws(MixGRPOError) {
        try values.withUnsafeMutableBufferPointer { (buffer) throws(MixGRPOError) in
          try file.read(tensor.name, expectedShape: tensor.shape, into: buffer)
        }
      } catch {
        refusal = error
      }
    }
    if let refusal { throw refusal }
  }

  /// Only files of the folder are opened.
  func acceptIndex(_ input: [UInt8]) throws(MixGRPOError) {
    scratch.write(WeightFolder.indexName, input)
    let folder = try WeightFolder(path: scratch.path)
    var value: Float = 0
    for tensor in folder.tensors where tensor.elementCount == 1 {
      try withUnsafeMutablePointer(to: &value) { (place) throws(MixGRPOError) in
        try folder.read(tensor.name, expectedShape: tensor.shape, into: UnsafeMutableBufferPointer(start: place, count: 1))
      }
    }
  }

  /// A whole model: its first byte selects which of its two files the rest replaces.
  func acceptModel(_ input: [UInt8]) throws(MixGRPOError) {
    guard let first = input.first else { return }
    let isConfiguration = first & 1 == 1
    scratch.write(WeightFolder.configurationName, isConfiguration ? Array(input.dropFirst()) : small.configuration)
    scratch.write(WeightFolder.weightsName, isConfiguration ? small.weights : Array(input.dropFirst()))
    let model = try FlowTransformer(folder: scratch.path)
    expect(model.parameterCount <= 1 << 20, "a model no larger than its file")
  }

  /// After a refusal the trainer is as it was.
  func acceptCheckpoint(_ input: [UInt8]) throws(MixGRPOError) {
    scratch.write(small.checkpointName, ChecksumRepair.sealed(input))
    let before = small.trainerState
    do throws(MixGRPOError) {
      try small.trainer.restore(folder: scratch.path)
    } catch {
      expect(small.trainerState == before, "an unchanged trainer after a refusal")
      throw error
    }
    expect(small.trainer.iteration >= 0, "an iteration")
  }

  func acceptPNG(_ input: [UInt8]) throws(MixGRPOError) {
    let file = PNGRepair.withSoundChecksums(input)
    let image = try PNG.decode(file, maximumPixels: 1 << 16)
    let texts = try PNG.text(in: file)
    expect(image.pixels.count == 3 * image.width * image.height && texts.count <= 1024, "a whole picture")
    let again = try PNG.encode(image, text: texts)
    expect(try! PNG.decode(again) == image && PNG.text(in: again) == texts, "the same picture again")
  }
}

/// Ends a damaged checkpoint with the checksum of what it has become, but for every eighth.
enum ChecksumRepair {
  static func sealed(_ input: [UInt8]) -> [UInt8] {
    guard input.count > 8, input.reduce(0, { $0 &+ $1 }) % 8 != 0 else { return input }
    var hash = XXHash64()
    input.dropLast(8).withUnsafeBytes { hash.update($0) }
    return input.dropLast(8) + (0..<8).map { UInt8(truncatingIfNeeded: hash.digest >> (8 * UInt64($0))) }
  }
}

/// Gives the chunks of a damaged PNG their checksums back, so that damage is met behind them; every eighth file stays as it is.
enum PNGRepair {
  static func withSoundChecksums(_ input: [UInt8]) -> [UInt8] {
    guard input.reduce(0, { $0 &+ $1 }) % 8 != 0 else { return input }
    var file = input
    var position = 8
    while position + 12 <= file.count {
      let length = file[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= file.count - position - 12 else { break }
      let sum = checksum(file[position + 4..<position + 8 + length])
      for byte in 0..<4 { file[position + 8 + length + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * byte)) }
      position += 12 + length
    }
    return file
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { remainder, _ in remainder & 1 == 1 ? 0xEDB8_8320 ^ remainder >> 1 : remainder >> 1 }
    }
  }
}
