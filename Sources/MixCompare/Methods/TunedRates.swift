/// The learning rate of each method.
///
/// All methods were tuned with equal effort: the same rates, the same iterations, one seed that is not in the table. The values
/// are the mean of the two final trained rewards on held-out prompts, from `compare --tune --evaluations 1` (base: 0.677):
///
///                           4e-5     8e-5   1.6e-4
///     Flow-GRPO (all)     0.7151   0.7411   0.7733
///     DanceGRPO (14)      0.7628   0.8001   0.7981
///     DanceGRPO (4)       0.7130   0.7015   0.6262
///     MixGRPO             0.8319   0.8390   0.7419
///     MixGRPO, CPS        0.8198   0.8098   0.7766
///     MixGRPO-Flash       0.8302   0.8328   0.7447
///     MixGRPO-Flash*      0.8387   0.8742   0.8471
///
/// Adapters with MixGRPO, from `compare --tune --ablation lora --evaluations 1`:
///
///                           1e-4     2e-4     4e-4     8e-4   1.6e-3
///     rank 4              0.6959   0.7365   0.8300   0.8548   0.8535
///     rank 16             0.7401   0.8348   0.8549   0.8480   0.7620
///     rank 64             0.8397   0.8621   0.8729   0.7735   0.4635
///
/// The paper's 1e-5 is for a model of 12 billion weights.
enum TunedRates {
  /// Rank and rate of the adapters that are compared.
  static let ofAdapters: KeyValuePairs = [4: 8e-4, 16: 4e-4, 64: 4e-4]
  /// The rates that `--tune --ablation lora` tries for each rank.
  static let gridOfAdapters = [1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3]

  /// The rates that `--tune` tries for each method.
  static let grid = [4e-5, 8e-5, 1.6e-4]
  /// The seed of tuning; the table uses the seeds 1, 2, …
  static let seed = 1_000

  static func rate(of method: Method) -> Double {
    switch method {
    case .danceGRPO4, .mixGRPOCPS: 4e-5
    case .danceGRPO14, .mixGRPO, .flash, .flashStar: 8e-5
    case .flowGRPO: 1.6e-4
    }
  }
}
