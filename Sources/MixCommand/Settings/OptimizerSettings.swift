import MixGRPO

/// AdamW and its learning rate.
struct OptimizerSettings: SettingsTable, Equatable {
  enum ScheduleName: String, CaseIterable { case constant, cosine }

  var learningRate = 1e-5
  var schedule = ScheduleName.constant
  var warmupSteps = 0
  var totalSteps = 1000
  var minimumRateFraction = 0.0
  var beta1 = 0.9
  var beta2 = 0.999
  var epsilon = 1e-8
  var weightDecay = 1e-4
  var maximumGradientNorm = 1.0

  static var settings: [Setting<OptimizerSettings>] {
    [
      .number("learning_rate", \.learningRate, "of AdamW"),
      .choice("schedule", \.schedule, "of the learning rate"),
      .integer("warmup_steps", \.warmupSteps, "optimizer steps of linear rise"),
      .integer("total_steps", \.totalSteps, "optimizer steps until cosine is at its lowest"),
      .number("min_rate_fraction", \.minimumRateFraction, "cosine ends at this share of learning_rate"),
      .number("beta1", \.beta1, "decay of AdamW's first moment"),
      .number("beta2", \.beta2, "decay of AdamW's second moment"),
      .number("epsilon", \.epsilon, "added to the root of the second moment"),
      .number("weight_decay", \.weightDecay, "decoupled, times learning rate"),
      .number("max_gradient_norm", \.maximumGradientNorm, "gradients are scaled down to it; 0 for no limit"),
    ]
  }

  init() {}

  init(_ configuration: AdamWConfiguration) {
    learningRate = configuration.learningRate
    warmupSteps = configuration.schedule.warmupSteps
    if case .cosine(let total, let minimum) = configuration.schedule.shape {
      (schedule, totalSteps, minimumRateFraction) = (.cosine, total, minimum)
    }
    (beta1, beta2, epsilon) = (configuration.beta1, configuration.beta2, configuration.epsilon)
    weightDecay = configuration.weightDecay
    maximumGradientNorm = configuration.maximumGradientNorm.isFinite ? configuration.maximumGradientNorm : 0
  }

  var configuration: AdamWConfiguration {
    var configuration = AdamWConfiguration()
    configuration.learningRate = learningRate
    configuration.schedule = LearningRateSchedule(
      schedule == .constant ? .constant : .cosine(totalSteps: totalSteps, minimumFraction: minimumRateFraction),
      warmupSteps: warmupSteps)
    (configuration.beta1, configuration.beta2, configuration.epsilon) = (beta1, beta2, epsilon)
    configuration.weightDecay = weightDecay
    configuration.maximumGradientNorm = maximumGradientNorm == 0 ? .infinity : maximumGradientNorm
    return configuration
  }
}
