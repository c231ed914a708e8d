import CMixGRPO
import MixLearning
import MixSettings

extension PretrainingConfiguration: SettingsTable {
  package static let settings: [Setting<PretrainingConfiguration>] =
    mixgrpo_learning_config.optimizerSettings.map { $0.within(\.optimizer.record) } + noiseLevelSettings + [
      .seed("seed", \.seed, "seed of noise and noise levels")
    ]

  package static let noiseLevelSettings: [Setting<PretrainingConfiguration>] = [
    .number("shift", \.shift, .above(0, upTo: 1_000), "shift of the noise levels towards noise; 1 for none"),
    .number("logit_mean", \.logitMean, .closed(-20, 20), "mean of the logit-normal noise levels"),
    .number("logit_deviation", \.logitDeviation, .closed(0, 20), "standard deviation of the logit-normal noise levels"),
  ]
}
