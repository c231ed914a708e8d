import MixGRPO

/// Pictures of one iteration, to be scored.
struct PictureBatch {
  struct Entry {
    let image: RGBImage
    let prompt: PromptList.Prompt
  }

  let iteration: Int
  let entries: [Entry]
}

/// Anything that scores pictures: one number for each, NaN for one that cannot be scored.
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
  ///   - context: whose cancel ends the wait for a program.
  ///   - warn: told what is odd and no error.
  func reward(_ context: RunContext, warn: @escaping (String) -> Void) throws(MixGRPOError) -> any PictureReward {
    if program.isEmpty { return StatisticReward(try PictureStatistic(named: name)) }
    return try ProgramReward(self, context, warn: warn)
  }
}
