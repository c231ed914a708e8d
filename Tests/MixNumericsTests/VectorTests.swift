import Foundation
import Testing

@testable import MixNumerics

@Suite struct VectorTests {
  @Test func powersOfTwoAreWithinTwoUnitsInTheLastPlace() {
    for index in -126_000...127_000 where index % 7 == 0 {
      let t = Float(index) / 1_000
      let expected = exp2(Double(t))
      let error = abs(Double(powerOfTwo(Vector(repeating: t))[3]) - expected) / expected
      #expect(error <= 2.4e-7, "t = \(t)")
    }
  }

  @Test func powersOfExtremesStayInRange() {
    #expect((0...2e-38).contains(powerOfTwo(Vector(repeating: -1e30))[0]))
    #expect((0...2e-38).contains(powerOfTwo(Vector(repeating: -.infinity))[0]))
    #expect(powerOfTwo(Vector(repeating: 1e30))[0].isFinite)
    #expect(powerOfTwo(Vector(repeating: .nan))[0].isNaN)
    #expect(powerOfTwo(Vector(repeating: 0))[0] == 1)
    #expect(abs(Double(log2OfE) - log2(exp(1))) <= 6e-8)
  }

  @Test(arguments: [1, 7, 8, 9, 64, 1_001]) func aSingleBadValueIsFound(count: Int) {
    var values = [Float](repeating: 1e30, count: count)
    #expect(Reduction.allFinite(values, count: count))
    for bad in [Float.nan, .infinity, -.infinity] {
      for place in [0, count / 2, count - 1] {
        values[place] = bad
        #expect(!Reduction.allFinite(values, count: count))
        values[place] = 1
      }
    }
  }

  @Test(arguments: [1, 2, 5]) func everyTaskRunsOnce(threads: Int) {
    for tasks in [0, 1, 2, 97] {
      let counts = UnsafeMutablePointer<Int>.allocate(capacity: 100)
      defer { counts.deallocate() }
      counts.initialize(repeating: 0, count: 100)
      Workers(threads: threads).forEach(tasks) { task, worker in
        counts[task] += 1
        #expect(worker < threads)
      }
      Team.lead(threads: threads) { team in
        for _ in 0..<3 { team.forEach(tasks) { task, worker in counts[task] += worker < threads ? 1 : 100 } }
      }
      for task in 0..<100 { #expect(counts[task] == (task < tasks ? 4 : 0)) }
    }
  }
}
