import MixGRPO

/// The pictures of one iteration, to be scored.
struct PictureBatch {
  struct Entry {
    let image: RGBImage
    let prompt: PromptList.Prompt
  }

  let iteration: Int
  let entries: [Entry]
}

/// Scores pictures: one number for each, NaN for a picture that cannot be scored.
protocol PictureReward: AnyObject {
  func score(_ batch: PictureBatch) throws(MixGRPOError) -> [Double]
}

/// A built-in reward.
final class StatisticReward: PictureReward {
  private let statistic: PictureStatistic

  init(_ statistic: PictureStatistic) { self.statistic = statistic }

  func score(_ batch: PictureBatch) throws(MixGRPOError) -> [Double] {
    var scores: [Double] = []
    for entry in batch.entries { scores.append(try statistic.score(entry.image, prompt: entry.prompt.text)) }
    return scores
  }
}

extension RewardSetting {
  /// - Parameters:
  ///   - context: cancelling it ends the wait for a program.
  ///   - warn: receives warnings.
  func reward(_ context: RunContext, warn: @escaping (String) -> Void) throws(MixGRPOError) -> any PictureReward {
    if program.isEmpty { return StatisticReward(try PictureStatistic(named: name)) }
    return try ProgramReward(self, context, warn: warn)
  }
}
