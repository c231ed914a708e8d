import MixGRPO
import MixSettings

/// A number format: of stored weights, or of the factors of products.
enum PrecisionName: String, CaseIterable {
  case f32, bf16

  var stored: StoredPrecision { self == .f32 ? .float32 : .bfloat16 }
  var computed: Precision { self == .f32 ? .float32 : .bfloat16 }

  /// The row of the format in which a model is evaluated.
  static func computeSetting<Root>(_ path: WritableKeyPath<Root, PrecisionName>) -> Setting<Root> {
    .choice(
      "compute_precision", path,
      "number format of the factors in the model's products; bf16 is faster on processors with AVX512_BF16 and changes results")
  }
}
