import MixBasics

/// The rows of a request that are evaluated together.
struct EvaluationBatch {
  let count: Int
  let latents: UnsafePointer<Float>  // (count, tokens, in_channels)
  let sigmas: UnsafeBufferPointer<Float>  // (count)
  let promptIndex: UnsafeBufferPointer<Int32>  // (count)
  let guidance: UnsafePointer<Float>  // (count)
  let prompts: PromptEmbeddings

  /// - Parameter defaultGuidance: at least as many values as `rows`, for a request without guidance.
  init(
    _ request: VelocityRequest, _ rows: Range<Int>, _ prompts: PromptEmbeddings, defaultGuidance: UnsafePointer<Float>
  ) {
    count = rows.count
    latents = request.latents + rows.lowerBound * request.latentSize
    sigmas = UnsafeBufferPointer(rebasing: request.sigmas[rows])
    promptIndex = UnsafeBufferPointer(rebasing: request.promptIndex[rows])
    guidance = request.guidance?.baseAddress.map { $0 + rows.lowerBound } ?? defaultGuidance
    self.prompts = prompts
  }
}

/// The rows of a request whose activations the evaluator keeps.
public enum KeptActivations {
  /// No row: the velocity is all that is needed.
  case none
  /// All rows, for `backward`; at most `maxBatch`.
  case all
  /// Some rows, for a later request that keeps all of its rows: rows with the same weights and inputs are then not computed again.
  /// Results are the same to the bit.
  /// - places: (B), the row of the later request, below `capacity`; −1 for a row that is not kept.
  /// - capacity: rows of the later request, at most `maxBatch`.
  case rows(places: UnsafePointer<Int32>, capacity: Int)

  /// The place of a row among the saved activations; nil if it is not kept.
  func place(of row: Int) -> Int? {
    switch self {
    case .none: nil
    case .all: row
    case .rows(let places, _): places[row] < 0 ? nil : Int(places[row])
    }
  }
}
