import CHalfProducts
import Testing

@testable import MixNumerics

@Suite struct HalfProductTests {
  /// The kernels that this machine can run, slowest first.
  private static var kernels: [mixgrpo_half_kernel] {
    [MIXGRPO_HALF_COMMON, MIXGRPO_HALF_AVX512, MIXGRPO_HALF_AVX512_BF16].filter { $0.rawValue <= HalfProduct.fastest.rawValue }
  }

  /// x in bfloat16, by its definition: the nearer of two neighbours, of equally near ones the one with an even last bit.
  private static func rounded(_ x: Float) -> Float {
    let below = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let above = Float(bitPattern: below.bitPattern &+ 0x1_0000)
    let (down, up) = (abs(Double(x) - Double(below)), abs(Double(above) - Double(x)))
    if down == up { return below.bitPattern & 0x1_0000 == 0 ? below : above }
    return down < up ? below : above
  }

  /// The sum that every kernel computes, for values whose products are no subnormal numbers.
  private static func sum(_ a: [Float], _ b: [Float], from start: Float) -> Float {
    var sum = start
    for first in stride(from: 0, to: a.count, by: 2) {
      if first + 1 < a.count { sum.addProduct(rounded(a[first + 1]), rounded(b[first + 1])) }
      sum.addProduct(rounded(a[first]), rounded(b[first]))
    }
    return sum
  }

  private static func withHalfRows(_ values: [Float], rows: Int, _ body: (HalfRows) -> Void) {
    let columns = values.count / rows
    var memory = [Float](repeating: .nan, count: HalfRows.floats(rows: rows, columns: columns))
    _ = withMatrix(values, rows: rows) { matrix in
      memory.withUnsafeMutableBufferPointer { memory in
        let half = HalfRows(memory.baseAddress!, rows: rows, columns: columns)
        half.round(matrix, rows: 0..<rows)
        body(half)
      }
    }
  }

  /// Panels in bfloat16 on memory full of NaN.
  private static func withHalfPanels(_ rows: Int, _ columns: Int, _ body: (PackedMatrix) -> Void) {
    var memory = [Float](repeating: .nan, count: PackedMatrix.floats(depth: rows, columns: columns, .bfloat16))
    memory.withUnsafeMutableBufferPointer {
      body(PackedMatrix($0.baseAddress!, depth: rows, columns: columns, .bfloat16))
    }
  }

  @Test(arguments: ProductShape.all) func everyKernelComputesTheStatedSums(shape: ProductShape) {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let (a, weight) = (pseudoRandom(m * k, 1), pseudoRandom(n * k, 2))  // weight (n, k)
    let start = pseudoRandom(m * n, 3)
    let expected = (0..<m * n).map { place in
      let (row, column) = (place / n, place % n)
      return Self.sum(Array(a[row * k..<(row + 1) * k]), Array(weight[column * k..<(column + 1) * k]), from: start[place])
    }
    Self.withHalfPanels(k, n) { packed in
      _ = withMatrix(weight, rows: n) { packed.packTranspose(of: $0) }
      Self.withHalfRows(a, rows: m) { half in
        for kernel in Self.kernels {
          let c = withMatrix(start, rows: m) { HalfProduct.times(half, packed, into: $0, accumulate: true, kernel: kernel) }
          let isSame = c == expected
          #expect(isSame, "kernel \(kernel)")
        }
      }
    }
  }

  @Test(arguments: ProductShape.all) func theGradientProductComputesTheStatedSums(shape: ProductShape) {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let (a, b) = (pseudoRandom(k * m, 4), pseudoRandom(k * n, 5))
    let start = pseudoRandom(m * n, 6)
    func expected(_ start: [Float]) -> [Float] {
      start.indices.map { place in
        let (row, column) = (place / n, place % n)
        return Self.sum((0..<k).map { a[$0 * m + row] }, (0..<k).map { b[$0 * n + column] }, from: start[place])
      }
    }
    let (added, alone) = (expected(start), expected([Float](repeating: 0, count: m * n)))
    Self.withHalfPanels(k, m) { packedA in
      _ = withMatrix(a, rows: k) { packedA.pack($0, rows: 0..<k) }
      Self.withHalfPanels(k, n) { packedB in
        _ = withMatrix(b, rows: k) { packedB.pack($0, rows: 0..<k) }
        for kernel in Self.kernels {
          let c = withMatrix(start, rows: m) {
            HalfProduct.transposedTimes(packedA, packedB, into: $0, accumulate: true, kernel: kernel)
          }
          let isAdded = c == added
          #expect(isAdded, "kernel \(kernel)")
          let new = withMatrix([Float](repeating: .nan, count: m * n), rows: m) {
            HalfProduct.transposedTimes(packedA, packedB, into: $0, accumulate: false, kernel: kernel)
          }
          let isAlone = new == alone
          #expect(isAlone, "kernel \(kernel), not added")
        }
      }
    }
  }

  /// Factors and sums of every size: subnormal ones, and such that the sums overflow.
  @Test func allKernelsGiveTheSameBits() {
    let (m, n, k) = (29, 33, 70)
    for seed in 0..<40 {
      let scale: [Float] = [1, 0x1p-62, 0x1p-100, 0x1p63]
      let a = pseudoRandom(m * k, seed, scale: scale[seed % 4])
      let weight = pseudoRandom(n * k, seed + 50, scale: scale[seed / 4 % 4])
      let start = pseudoRandom(m * n, seed, scale: seed % 3 == 0 ? 0x1p-130 : 1)
      Self.withHalfPanels(k, n) { packed in
        _ = withMatrix(weight, rows: n) { packed.packTranspose(of: $0) }
        Self.withHalfRows(a, rows: m) { half in
          let results = Self.kernels.map { kernel in
            withMatrix(start, rows: m) { HalfProduct.times(half, packed, into: $0, accumulate: true, kernel: kernel) }
              .map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
          }
          let isSame = results.allSatisfy { $0 == results[0] }
          #expect(isSame, "seed \(seed)")
        }
      }
    }
  }

  @Test func roundingGoesToTheNearestValue() {
    let cases: [(Float, Float)] = [
      (0, 0), (-0.0, -0.0), (1, 1), (.infinity, .infinity), (-.infinity, -.infinity), (.greatestFiniteMagnitude, .infinity),
      (1 + 0x1p-8, 1), (1 + 0x1p-7 + 0x1p-8, 1 + 0x1p-6), (1 + 0x1p-8 + 0x1p-23, 1 + 0x1p-7), (-1 - 0x1p-8, -1),
    ]
    let values =
      cases.map(\.0) + [.nan, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0xFFFF_FFFF)] + pseudoRandom(400, 9) + [.nan]
    let expected = cases.map(\.1) + [.nan, .nan, .nan] + pseudoRandom(400, 9).map(Self.rounded) + [.nan]
    func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 1 : $0.bitPattern } }
    for kernel in Self.kernels {
      var found = [UInt16](repeating: 0, count: values.count)
      HalfRows.round(values, into: &found, count: values.count, kernel: kernel)
      #expect(found == expected.map { $0.isNaN ? 0x7FC0 : UInt16($0.bitPattern >> 16) }, "kernel \(kernel)")
    }
    Self.withHalfPanels(values.count, 1) { packed in  // one column: every value is a row
      _ = withMatrix(values, rows: values.count) { packed.pack($0, rows: 0..<values.count) }
      #expect(bits((0..<values.count).map { packed.values($0, ofPanel: 0)[0] }) == bits(expected))
    }
  }

  @Test func aRowOfAProductDependsOnThatRowAlone() {
    let (rows, k, n) = (41, 501, 37)
    let (a, weight) = (pseudoRandom(rows * k, 7), pseudoRandom(n * k, 8))
    Self.withHalfPanels(k, n) { packed in
      _ = withMatrix(weight, rows: n) { packed.packTranspose(of: $0) }
      func product(_ values: [Float], _ rows: Int) -> [Float] {
        withMatrix([Float](repeating: .nan, count: rows * n), rows: rows) { c in
          Self.withHalfRows(values, rows: rows) { HalfProduct.times($0, packed, into: c) }
        }
      }
      let all = product(a, rows)
      for row in 0..<rows {
        #expect(product(Array(a[row * k..<(row + 1) * k]), 1) == Array(all[row * n..<(row + 1) * n]), "row \(row)")
      }
    }
  }

  @Test(arguments: [(7, 20), (8, 16), (1, 3)]) func anOddNumberOfRowsIsPaddedWithZeros(rows: Int, columns: Int) {
    let values = pseudoRandom(rows * columns, 11)
    Self.withHalfPanels(rows, columns) { packed in
      _ = withMatrix(values, rows: rows) { packed.pack($0, rows: 0..<rows) }
      if rows % 2 == 1 { for panel in 0..<packed.panels { #expect(packed.values(rows, ofPanel: panel) == .zero) } }
      packed.clear(rows: 0..<rows / 2)
      for row in 0..<rows {
        let expected = row < rows / 2 ? 0 : Self.rounded(values[row * columns])
        // The row that begins in the middle of a cleared pair is cleared, too, and is written after it.
        if row == rows / 2, row % 2 == 1 { continue }
        #expect(packed.values(row, ofPanel: 0)[0] == expected)
      }
      var sums = [Float](repeating: 0, count: columns)
      _ = withMatrix(values, rows: rows) { packed.pack($0, rows: 0..<rows) }
      Reduction.addColumnSums(packed, to: &sums)
      var expected = [Float](repeating: 0, count: columns)
      for place in values.indices { expected[place % columns] += Self.rounded(values[place]) }
      #expect(sums == expected)
    }
  }
}
