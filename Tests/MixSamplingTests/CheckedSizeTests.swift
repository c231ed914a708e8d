import Testing

@testable import MixSampling

@Suite struct CheckedSizeTests {
  @Test func aProductOfSizesIsTheirProduct() throws {
    #expect(try product(3, 4, 5, field: "size") == 60)
    #expect(try product(7, 0, field: "size") == 0)
    #expect(try product(Int.max, 1, field: "size") == .max)
  }

  @Test(arguments: [[-1, 3], [3, -1], [.max, 2], [2, .max], [.min, 1]])
  func aNegativeSizeOrAnOverflowIsAnErrorThatNamesTheField(sizes: [Int]) {
    let error = failure { _ = try product(sizes[0], sizes[1], field: "a field") }
    #expect(error?.code == .invalidArgument && error?.message.contains("a field") == true)
  }

  @Test func aTableHoldsItsValuesAndAnImpossibleOneIsRefused() throws {
    let filled = try Table(count: 3, filledWith: 2.5)
    #expect((0..<3).map { filled[$0] } == [2.5, 2.5, 2.5])
    let table = try Table([4, 5, 6])
    table[1] = 9
    #expect((0..<3).map { table[$0] } == [4, 9, 6] && table.count == 3)
    #expect(try Table<Double>([]).count == 0)
    #expect(failure { _ = try Table(count: 1 << 58, filledWith: 0.0) }?.code == .outOfMemory)
    #expect(failure { _ = try Table(count: .max, filledWith: 0.0) }?.code == .invalidArgument)
    #expect(failure { _ = try Table(count: -1, filledWith: 0.0) }?.code == .outOfMemory)
  }
}
