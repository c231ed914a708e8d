/// Checks which results of the paper (arXiv 2507.21802, table 1) a comparison reproduces.
struct Findings {
  enum Verdict: String {
    case agrees = "agrees with the paper"
    case differs = "differs from the paper"
    case unclear = "too close to decide"
    case unknown = "not measured"
  }

  struct Finding {
    let text: String
    let verdict: Verdict
  }

  let comparison: Comparison

  var all: [Finding] { times + catchingUp + rewards }

  // MARK: Time

  private var times: [Finding] {
    [
      time(.mixGRPO, paper: 0.51, atMost: 0.55), time(.flash, paper: 0.39, atMost: 0.45),
      time(.flashStar, paper: 0.29, atMost: 0.32),
    ].compactMap { $0 }
  }

  private func time(_ method: Method, paper: Double, atMost bound: Double) -> Finding? {
    guard comparison.reference == Method.danceGRPO14.rawValue, let row = comparison.row(method) else { return nil }
    let share = comparison.relativeTime(row)
    let text =
      "\(method.label) takes \(fixed(share, 2)) of the time of \(Method.danceGRPO14.label) per iteration "
      + "(paper: \(fixed(paper, 2)))"
    guard share.isFinite else { return Finding(text: text, verdict: .unknown) }
    return Finding(text: text, verdict: share <= bound ? .agrees : .differs)
  }

  // MARK: Rewards

  /// In the paper each of these methods is at least as good as each variant of DanceGRPO.
  private var rewards: [Finding] {
    [Method.mixGRPO, .flash, .flashStar].flatMap { method in
      trained(method, .danceGRPO14) + heldOut(method, .danceGRPO14) + trained(method, .danceGRPO4)
    }
  }

  private func trained(_ method: Method, _ other: Method) -> [Finding] {
    finding("trained rewards, their mean", method, other) { row in Estimate(row.results.map(\.trainedReward)) }
  }

  private func heldOut(_ method: Method, _ other: Method) -> [Finding] {
    (Judges.trained..<Judges.names.count).flatMap { reward in
      finding("\(Judges.names[reward]), held out", method, other) { row in comparison.final(row, reward) }
    }
  }

  private func finding(
    _ what: String, _ method: Method, _ other: Method, _ estimate: (Comparison.Row) -> Estimate
  ) -> [Finding] {
    guard let row = comparison.row(method), let against = comparison.row(other) else { return [] }
    return [compare(what, method, estimate(row), other, estimate(against))]
  }

  // MARK: At equal rewards

  /// After the same number of iterations the methods reach different training rewards, and held-out rewards fall as training
  /// rewards rise. So the held-out rewards are compared at the training reward with which DanceGRPO ends.
  private var catchingUp: [Finding] {
    [Method.mixGRPO, .mixGRPOCPS, .flash, .flashStar].compactMap { catchingUp($0, .danceGRPO14) }
  }

  private func catchingUp(_ method: Method, _ other: Method) -> Finding? {
    guard let row = comparison.row(method), let against = comparison.row(other) else { return nil }
    let target = Estimate(against.results.map(\.trainedReward)).mean
    let text = "\(method.label) reaches the final trained rewards of \(other.label) after "
    let curves = Judges.names.indices.map { comparison.curve(row, $0) }
    let reached = (curves.first ?? []).indices.first { index in
      curves.prefix(Judges.trained).reduce(0) { $0 + $1[index].estimate.mean } / Double(Judges.trained) >= target
    }
    guard let reached else {
      return Finding(
        text: text + "more than \(comparison.size.iterations) iterations", verdict: target.isFinite ? .differs : .unknown)
    }
    let left = (Judges.trained..<Judges.names.count).map { reward in
      let (ours, theirs) = (curves[reward][reached].estimate.mean, comparison.final(against, reward).mean)
      return "\(Judges.names[reward]) \(fixed(ours, 3)) against \(fixed(theirs, 3))"
    }
    let iterations = "\(curves[0][reached].iteration) of \(comparison.size.iterations) iterations"
    return Finding(text: text + "\(iterations), with \(left.joined(separator: ", "))", verdict: .agrees)
  }

  // MARK: Differences

  /// A difference smaller than its standard error is undecided.
  private func compare(
    _ what: String, _ method: Method, _ ours: Estimate, _ other: Method, _ theirs: Estimate
  ) -> Finding {
    let text = "\(what): \(method.label) \(ours.text()), \(other.label) \(theirs.text())"
    let difference = ours.mean - theirs.mean
    guard difference.isFinite else { return Finding(text: text, verdict: .unknown) }
    let error = (ours.standardError * ours.standardError + theirs.standardError * theirs.standardError).squareRoot()
    if abs(difference) <= error || !error.isFinite { return Finding(text: text, verdict: .unclear) }
    return Finding(text: text, verdict: difference > 0 ? .agrees : .differs)
  }
}
