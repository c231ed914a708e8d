/// Measures how long evaluations of the model take, so that an iteration can be estimated before one is finished.
struct Pace {
  /// A forward and backward pass takes about as long as three forward passes.
  static let backwardRatio = 3.0

  private var forward = (rows: 0, seconds: 0.0)
  private var trained = (rows: 0, seconds: 0.0)
  private var begin = ContinuousClock.now
  private var counted = 0

  /// Rows measured so far.
  var rows: Int { forward.rows + trained.rows }
  /// Time measured so far.
  var seconds: Double { forward.seconds + trained.seconds }

  /// Starts the count of a stage; what passed before belongs to no stage.
  mutating func beginStage() { (begin, counted) = (.now, 0) }

  /// - Parameters:
  ///   - done: rows evaluated in the stage so far.
  ///   - isTrained: whether a backward pass follows each.
  mutating func reached(_ done: Int, isTrained: Bool) {
    let now = ContinuousClock.now
    add(done - counted, isTrained: isTrained, seconds: (now - begin) / .seconds(1))
    (begin, counted) = (now, done)
  }

  mutating func add(_ rows: Int, isTrained: Bool, seconds: Double) {
    guard rows > 0 else { return }
    if isTrained {
      trained = (trained.rows + rows, trained.seconds + seconds)
    } else {
      forward = (forward.rows + rows, forward.seconds + seconds)
    }
  }

  /// The time of so many evaluations; nil before any was measured.
  func estimate(forward wanted: Int, trained wantedTrained: Int) -> Double? {
    guard rows > 0 else { return nil }
    let perForward = forward.rows > 0 ? forward.seconds / Double(forward.rows) : nil
    let perTrained = trained.rows > 0 ? trained.seconds / Double(trained.rows) : nil
    let one = perForward ?? (perTrained ?? 0) / Self.backwardRatio
    return Double(wanted) * one + Double(wantedTrained) * (perTrained ?? one * Self.backwardRatio)
  }
}
