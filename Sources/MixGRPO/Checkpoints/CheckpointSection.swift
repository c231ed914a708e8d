import MixBasics
import MixStorage

/// A part of a run's state, such as the counters or an adaptive window. A checkpoint consists of sections: small values are a
/// JSON object in the header under `name`, tensors are stored under `name.tensor`.
///
/// To save new state of a trainer, add a section to `Trainer.checkpointSections`.
package struct CheckpointSection {
  package let name: String
  package let state: JSONObject
  package let tensors: [Tensor]
  /// Validates the saved section without changes. The returned closure applies it and cannot fail.
  package let prepare: (SavedSection) throws(MixGRPOError) -> () -> Void

  package struct Tensor {
    package let name: String
    package let values: UnsafeBufferPointer<Float>

    package init(_ name: String, _ values: UnsafeBufferPointer<Float>) { (self.name, self.values) = (name, values) }
  }

  package init(
    name: String, state: JSONObject, tensors: [Tensor] = [],
    prepare: @escaping (SavedSection) throws(MixGRPOError) -> () -> Void
  ) {
    (self.name, self.state, self.tensors, self.prepare) = (name, state, tensors, prepare)
  }

  var entries: [WeightEntry] {
    tensors.map { WeightEntry(name: "\(name).\($0.name)", shape: [$0.values.count], values: $0.values) }
  }
}

/// A section read from a file. Every read is checked; errors name the field.
package struct SavedSection {
  package let name: String
  package let state: JSONObject
  /// The source, for error messages.
  private let source: String
  private let file: SafetensorsFile?

  /// A section of a JSON text, which has no tensors.
  init(_ name: String, in saved: JSONObject, source: String) throws(MixGRPOError) {
    guard let state = saved[name]?.object else {
      throw MixGRPOError(.invalidFormat, "\(source): \(name): expected an object, got \(saved[name]?.kind ?? "nothing")")
    }
    (self.name, self.state, self.source, file) = (name, state, source, nil)
  }

  init(_ name: String, in file: SafetensorsFile) throws(MixGRPOError) {
    guard let text = file.metadata[name] else {
      throw MixGRPOError(.invalidFormat, "\(file.path): \(name): expected this section, got none")
    }
    guard let state = try JSONParser.parse(text, source: "\(file.path): \(name)").object else {
      throw MixGRPOError(.invalidFormat, "\(file.path): \(name): expected an object, got something else")
    }
    (self.name, self.state, source, self.file) = (name, state, file.path, file)
  }

  package func failure(_ field: String, expected: String) -> MixGRPOError {
    MixGRPOError(.invalidFormat, "\(source): \(name).\(field): expected \(expected), got \(state[field]?.kind ?? "nothing")")
  }

  /// A whole number of at least 0.
  package func count(_ field: String) throws(MixGRPOError) -> Int {
    guard let value = state[field]?.integer, (0...maximumCount).contains(value) else {
      throw failure(field, expected: "a count")
    }
    return value
  }

  package func double(_ field: String) throws(MixGRPOError) -> Double {
    guard let value = state[field]?.double else { throw failure(field, expected: "a number") }
    return value
  }

  /// The learning rate factor left by roll-backs, which only make it smaller.
  package func rateFactor() throws(MixGRPOError) -> Double {
    let factor = try double("rate_factor")
    guard factor > 0, factor <= 1 else { throw failure("rate_factor", expected: "a value in (0, 1]") }
    return factor
  }

  package func holds(tensor: String) -> Bool { file?.tensor(named: "\(name).\(tensor)") != nil }

  /// The values of a tensor, (count), all finite.
  package func tensor(_ tensor: String, count: Int) throws(MixGRPOError) -> FloatStorage {
    guard let file else { throw failure(tensor, expected: "a tensor") }
    let values = try FloatStorage(count: count)
    try file.read("\(name).\(tensor)", expectedShape: [count], into: values.buffer)
    guard values.buffer.allSatisfy(\.isFinite) else {
      throw MixGRPOError(.invalidFormat, "\(file.path): \(name).\(tensor): expected finite values, got NaN or infinity")
    }
    return values
  }
}

/// Upper bound for stored counters; larger values mean a corrupt file.
package let maximumCount = 1 << 53
