import ProceduralWorld
import Testing

@testable import MixCompare

struct ReportTests {
  /// Results made up: method k ends at 0.5 + k/100 ± seed/1000, and needs 10 − k seconds.
  private static func comparison(isTimed: Bool = true) throws -> Comparison {
    let size = ComparisonSize()
    let picture = try RGBImage(width: 32, height: 32, pixels: [UInt8](repeating: 90, count: 3_072))
    let base = Evaluation(iteration: 0, rewards: [0.4, 0.4, 0.4, 0.4], pictures: Array(repeating: picture, count: 60))
    let entries = Method.allCases.enumerated().map {
      Timing.Entry(arm: $1.rawValue, settings: "", seconds: 10 - Double($0), secondsShared: 5)
    }
    let timing = Timing(processor: "<a & b>", threads: 2, load: 0, turns: 3, entries: entries)
    let rows = try Method.allCases.enumerated().map { index, method in
      let results = (1...3).map { seed in
        var result = RunResult(arm: method.rawValue, seed: seed, settings: "")
        let reward = 0.5 + Double(index) / 100 + Double(seed) / 1_000
        result.points = [.init(iteration: 30, rewards: [reward, reward, reward, reward])]
        return result
      }
      let cost = try method.arm(size).cost(size)
      return Comparison.Row(
        arm: method.arm(size), calls: cost.calls, callsShared: cost.callsShared, trainedSteps: cost.trainedSteps,
        results: results, timing: isTimed ? entries[index] : nil, pictures: nil)
    }
    return Comparison(
      title: "a < b", size: size, base: base, rows: rows, timing: isTimed ? timing : nil,
      reference: Method.danceGRPO14.rawValue)
  }

  @Test func theTableHasMeansAndStandardErrors() throws {
    let table = ResultTable(comparison: try Self.comparison())
    #expect(table.cells[2].suffix(4) == ["0.512 ± 0.001", "0.512 ± 0.001", "0.512 ± 0.001", "0.512 ± 0.001"])
    #expect(table.cells[4][4] == "0.78")
    #expect(table.cells.allSatisfy { $0.count == table.header.count })
    let csv = table.csv.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    #expect(csv.count == 9 && csv.allSatisfy { $0.count == csv[0].count })
    let column = try #require(csv[0].firstIndex(of: "night_taste_standard_error"))
    let error = try #require(Double(csv[2][column]))
    #expect(abs(error - 0.001 / 3.0.squareRoot()) <= 1e-12)
  }

  @Test func findingsNameEvidenceForAndAgainst() throws {
    let findings = Findings(comparison: try Self.comparison()).all
    #expect(findings[0].text.contains("MixGRPO takes 0.78"))
    #expect(findings[0].verdict == .differs)
    #expect(findings[3...].allSatisfy { $0.verdict == .agrees })
    #expect(
      findings[3].text == "MixGRPO reaches the final trained rewards of DanceGRPO (14) after 30 of 30 iterations, "
        + "with read back 0.532 against 0.512, clean sky 0.532 against 0.512")
    let untimed = Findings(comparison: try Self.comparison(isTimed: false)).all
    #expect(untimed[..<3].allSatisfy { $0.verdict == .unknown })
  }

  @Test func aDifferenceWithinItsErrorDecidesNothing() {
    let estimate = Estimate([1, 2, 3])
    #expect(estimate.mean == 2)
    #expect(abs(estimate.standardError - 1 / 3.0.squareRoot()) <= 1e-12)
    #expect(Estimate([4]).text() == "4.000")
    #expect(median([3, 1, 2]) == 2 && median([4, 1, 2, 3]) == 2.5)
  }

  @Test func thePageEscapesAllTexts() throws {
    let page = ReportPage(comparison: try Self.comparison(), pictures: []).html
    #expect(page.contains("<title>a &lt; b</title>"))
    #expect(page.contains("&lt;a &amp; b&gt;"))
    #expect(!page.contains("NaN") && !page.contains("nan"))
  }

  @Test func curvesOverTimeNeedTimes() throws {
    #expect(try Curves(comparison: Self.comparison(isTimed: false), abscissa: .seconds).isKnown == false)
    let curves = Curves(comparison: try Self.comparison(), abscissa: .seconds)
    #expect(curves.charts.count == 4)
    #expect(curves.charts[0].series[1].points.map(\.x) == [0, 270])
    #expect(curves.charts[0].series[1].points.map(\.y) == [0.4, 0.512])
  }

  @Test(
    arguments: [
      ([0.0, 30], [0.0, 10, 20, 30]), ([0.47, 0.91], [0.4, 0.6, 0.8, 1.0]), ([5, 5], nil), ([], nil),
    ] as [([Double], [Double]?)])
  func axesHaveRoundNumbersAndHoldTheirValues(_ values: [Double], _ ticks: [Double]?) {
    let axis = Axis(values)
    #expect(axis.ticks.count >= 2 && axis.ticks.count <= 7)
    for value in values { #expect(axis.share(value) >= -1e-9 && axis.share(value) <= 1 + 1e-9) }
    if let ticks { #expect(zip(axis.ticks, ticks).allSatisfy { abs($0 - $1) <= 1e-9 } && axis.ticks.count == ticks.count) }
  }

  @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")])
  func base64IsAsInItsStandard(_ plain: String, _ coded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == coded)
  }
}
