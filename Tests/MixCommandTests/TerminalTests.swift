import Testing

@testable import MixCommand

/// The lines that a run shows, without a terminal.
@Suite struct TerminalTests {
  private func row(
    _ figures: [(name: String, value: Double)], gauges: [(name: String, text: String)]? = nil, remarks: [String] = []
  )
    -> ProgressRow
  {
    ProgressRow(
      done: 7, total: 20, figures: figures, gauges: gauges ?? [("trend", "+0.0125")], secondsLeft: 65, remarks: remarks)
  }

  private let table = ProgressTable(unit: "iteration")
  private let many = (1...12).map { (name: "reward-\($0)", value: 0.5 / Double($0)) }

  @Test func cellsAreCountedAsTerminalsDrawThem() {
    #expect(CellWidth.of("abc") == 3)
    #expect(CellWidth.of("赤い丸") == 6)
    #expect(CellWidth.of("한글") == 4)
    #expect(CellWidth.of("🎨") == 2)
    #expect(CellWidth.of("e\u{301}") == 1)
    #expect(CellWidth.of("a\u{200B}b") == 2)
    #expect(CellWidth.of("❤\u{FE0F}") == 2)
    #expect(CellWidth.of("█·→…") == 4)
  }

  @Test(arguments: 0..<12) func aFittedTextIsNeverWider(cells: Int) {
    for text in ["a red circle", "赤い丸を左に", "👩‍🎨👩‍🎨👩‍🎨", "e\u{301}e\u{301}e\u{301}"] {
      let fitted = CellWidth.fit(text, cells)
      #expect(CellWidth.of(fitted) <= cells)
      #expect(fitted == text || cells == 0 || fitted.hasSuffix("…"))
    }
  }

  @Test func headerAndRowHaveTheSameColumns() {
    let row = row([("darkness", 0.592), ("symmetry", 0.431)])
    #expect(table.header(row, columns: 79) == "iteration  darkness  symmetry     trend      left")
    #expect(table.tableRow(row, columns: 79) == "     7/20    0.5920    0.4310   +0.0125      1:05")
  }

  @Test(arguments: [19, 24, 39, 40, 60, 79, 119, 500]) func noLineIsWiderThanTheTerminal(columns: Int) {
    for figures in [many, [("赤い丸を左に置くこと", 0.5)], [("🎨🎨🎨", .nan), ("b", 1e-9)]] {
      for remarks in [[], ["48 not scored", "rolled back"]] {
        let row = row(figures, remarks: remarks)
        #expect(CellWidth.of(table.header(row, columns: columns)) <= columns)
        #expect(CellWidth.of(table.tableRow(row, columns: columns)) <= columns)
      }
    }
    let bar = ProgressBar.line(
      share: 0.4, count: "7/20", what: "rollout 123 of 456, 赤い丸", left: "1:05 left", columns: columns)
    #expect(CellWidth.of(bar) <= columns)
  }

  @Test func aNarrowTerminalShowsRewardTrendAndTimeLeft() {
    let line = table.tableRow(row(many), columns: 39)
    #expect(line == "     7/20    0.5000   +0.0125      1:05")
    #expect(table.header(row(many), columns: 39) == "iteration  reward-1     trend      left")
  }

  @Test func evaluationsAreShownWithTheirChange() {
    let evaluated = row([("darkness", 0.592)], gauges: [("evaluated", "0.6100"), ("change", "+0.1200")])
    #expect(table.header(evaluated, columns: 79) == "iteration  darkness evaluated    change      left")
    #expect(table.tableRow(evaluated, columns: 79) == "     7/20    0.5920    0.6100   +0.1200      1:05")
    #expect(table.header(evaluated, columns: 39) == "iteration  darkness    change      left")
    #expect(table.line(evaluated) == "7/20  darkness 0.5920  evaluated 0.6100  change +0.1200  1:05 left")
    let first = row([("darkness", 0.592)], gauges: [("evaluated", ""), ("change", "")])
    #expect(table.tableRow(first, columns: 79) == "     7/20    0.5920         –         –      1:05")
    #expect(table.line(first) == "7/20  darkness 0.5920  1:05 left")
  }

  @Test func rewardsThatDoNotFitAreLeftOutWhole() {
    let header = table.header(row(many), columns: 79)
    #expect(
      header.contains("reward-1 ") && header.contains("reward-4") && !header.contains("reward-6") && !header.contains("…"))
  }

  @Test func aPlainLineHasEverything() {
    #expect(
      table.line(row([("darkness", 0.592), ("depth", .nan)], remarks: ["rolled back"]))
        == "7/20  darkness 0.5920  depth –  trend +0.0125  1:05 left  rolled back")
    #expect(table.line(row([("loss", 4e-6)], gauges: [])) == "7/20  loss 4e-6  1:05 left")
  }

  @Test func theBarShowsWhatIsBeingDone() {
    #expect(
      ProgressBar.line(share: 0.375, count: "7/20", what: "rollout 12 of 289", left: "1:05 left", columns: 79)
        == "[#########...............] 7/20  rollout 12 of 289  1:05 left")
    #expect(
      ProgressBar.line(share: 0.375, count: "7/20", what: "rollout 12 of 289", left: "1:05 left", columns: 39)
        == "[###.....] 7/20  rollout 12…  1:05 left")
  }

  @Test func theTrendComparesMeansOverRoundsOfPrompts() {
    var trend = RewardTrend(iterationsPerRound: 2)
    #expect(trend.span == 5 && trend.change == nil)
    for reward in [1.0, 2, 3] { trend.add(reward) }
    #expect(trend.change == nil)
    trend.add(.nan)
    trend.add(4)
    #expect(trend.change == 2)
    for reward in [5.0, 6, 7, 8, 9, 10, 11] { trend.add(reward) }
    #expect(trend.change == 6)
    #expect(RewardTrend(iterationsPerRound: 1_000).span == 25)
  }

  @Test func durationsAreShownForPeople() {
    #expect(duration(65) == "1:05")
    #expect(duration(7384) == "2:03:04")
    #expect(duration(.infinity) == "?")
    #expect(spokenDuration(0.345) == "0.34 s" || spokenDuration(0.345) == "0.35 s")
    #expect(spokenDuration(12.2) == "12 s")
    #expect(spokenDuration(250) == "4.2 min")
    #expect(spokenDuration(11_000) == "3.1 h")
    #expect(spokenDuration(864_000) == "10 days")
    #expect(padded(7, 3) == "007")
  }

  @Test func aPaceEstimatesWhatItHasNotMeasured() {
    var pace = Pace()
    #expect(pace.estimate(forward: 1, trained: 1) == nil)
    pace.add(10, isTrained: false, seconds: 1)
    #expect(pace.estimate(forward: 10, trained: 10) == 1 + Pace.backwardRatio)
    pace.add(10, isTrained: true, seconds: 2)
    #expect(pace.estimate(forward: 10, trained: 10) == 3)
    #expect(pace.rows == 20 && pace.seconds == 3)
  }
}
