/// The factors of the products in a model's blocks and their attention. Softmax, norms, sums, gradients of weights and the optimizer
/// are float32 with both.
public enum Precision: Int32, CaseIterable, Sendable {
  /// 24 bits of mantissa.
  case float32 = 0
  /// 8 bits of mantissa: half the memory for packed weights and factors, and faster products where AVX512_BF16 is faster than
  /// multiply-adds in float32, as on Zen 4. The bits of a result are the same on every processor.
  case bfloat16 = 1
}
