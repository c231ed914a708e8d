import COpenBLAS
import Testing

@testable import MixNumerics

/// c (m, n), and what a product of a (m, k) and b (k, n) needs to be tested.
struct ProductShape: CustomTestStringConvertible, Sendable {
  let m: Int
  let n: Int
  let k: Int
  var testDescription: String { "\(m) × \(k) by \(k) × \(n)" }

  /// Every height of a tile, one and two panels, whole and partial ones, one and several blocks of depth.
  static let all = [
    (1, 32, 3), (2, 33, 7), (3, 64, 9), (4, 49, 193), (5, 80, 11), (1, 1, 1), (2, 5, 3), (3, 16, 7), (4, 17, 8), (5, 31, 16),
    (6, 8, 384), (7, 9, 385), (8, 16, 20), (9, 48, 9),
    (10, 12, 31), (11, 64, 5), (13, 48, 257), (37, 40, 1_000), (80, 128, 33), (130, 24, 600),
  ].map { ProductShape(m: $0.0, n: $0.1, k: $0.2) }
}

@Suite final class MatrixProductTests {
  /// NaN, because a product must not read what it has not written.
  private let panel: UnsafeMutablePointer<Float>

  init() {
    panel = .allocate(capacity: MatrixProduct.panelCount)
    panel.initialize(repeating: .nan, count: MatrixProduct.panelCount)
  }

  deinit { panel.deallocate() }

  private typealias Product = (_ a: Matrix, _ b: Matrix, _ c: Matrix) -> Void

  /// A matrix with pseudo-random values, and gaps of NaN between its rows that no product may touch.
  private static func matrix(_ rows: Int, _ columns: Int, seed: Int) -> Matrix {
    let stride = columns + 3
    let base = UnsafeMutablePointer<Float>.allocate(capacity: rows * stride)
    let values = pseudoRandom(rows * stride, seed)
    for index in 0..<rows * stride { base[index] = index % stride < columns ? values[index] : .nan }
    return Matrix(base, rows: rows, columns: columns, stride: stride)
  }

  private static func values(_ matrix: Matrix) -> [Float] {
    (0..<matrix.rows).flatMap { row in (0..<matrix.columns).map { matrix.row(row)[$0] } }
  }

  /// OpenBLAS's answer: transA·transB + β·c.
  private static func reference(_ a: Matrix, _ b: Matrix, transA: Bool, transB: Bool, k: Int, beta: Float, c: Matrix) -> [Float]
  {
    var expected = values(c)
    cblas_sgemm(
      CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans, Int32(c.rows), Int32(c.columns),
      Int32(k), 1, a.base, Int32(a.stride), b.base, Int32(b.stride), beta, &expected, Int32(c.columns))
    return expected
  }

  private static func expectClose(_ c: Matrix, _ expected: [Float], k: Int) {
    let tolerance = 1e-6 * Float(k) + 1e-6
    #expect(values(c).count == expected.count)
    for (got, expected) in zip(values(c), expected) { #expect(abs(got - expected) <= tolerance) }
    for row in 0..<c.rows - 1 { #expect(c.row(row)[c.columns].isNaN, "wrote beyond row \(row)") }
  }

  private func check(
    _ shape: ProductShape, a: (Int, Int), b: (Int, Int), transA: Bool, transB: Bool, beta: Float, _ product: Product
  ) {
    let (a, b) = (Self.matrix(a.0, a.1, seed: 1), Self.matrix(b.0, b.1, seed: 2))
    let c = Self.matrix(shape.m, shape.n, seed: 3)
    defer { for matrix in [a, b, c] { matrix.base.deallocate() } }
    let expected = Self.reference(a, b, transA: transA, transB: transB, k: shape.k, beta: beta, c: c)
    product(a, b, c)
    Self.expectClose(c, expected, k: shape.k)
  }

  @Test(arguments: ProductShape.all) func agreesWithOpenBLAS(shape: ProductShape) {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    for (beta, accumulate) in [(Float(0), false), (1, true)] {
      check(shape, a: (m, k), b: (k, n), transA: false, transB: false, beta: beta) {
        MatrixProduct.times($0, $1, into: $2, accumulate: accumulate, panel: panel)
      }
      check(shape, a: (k, m), b: (k, n), transA: true, transB: false, beta: beta) {
        MatrixProduct.transposedTimes($0, $1, into: $2, accumulate: accumulate, panel: panel)
      }
    }
    check(shape, a: (m, k), b: (n, k), transA: false, transB: true, beta: 0) {
      MatrixProduct.timesTransposed($0, $1, into: $2, panel: panel)
    }
  }

  @Test(arguments: ProductShape.all) func aPackedFactorGivesTheSameBits(shape: ProductShape) {
    let (a, b) = (Self.matrix(shape.m, shape.k, seed: 4), Self.matrix(shape.n, shape.k, seed: 5))
    let (c, packedC) = (Self.matrix(shape.m, shape.n, seed: 6), Self.matrix(shape.m, shape.n, seed: 6))
    let storage = UnsafeMutablePointer<Float>.allocate(
      capacity: PackedMatrix.floats(depth: shape.k, columns: shape.n))
    defer {
      storage.deallocate()
      for matrix in [a, b, c, packedC] { matrix.base.deallocate() }
    }
    let packed = PackedMatrix(storage, depth: shape.k, columns: shape.n)
    packed.packTranspose(of: b)
    MatrixProduct.timesTransposed(a, b, into: c, panel: panel)
    MatrixProduct.times(a, packed, into: packedC)
    #expect(Self.values(c) == Self.values(packedC))

    let transposed = Self.matrix(shape.k, shape.n, seed: 7)
    defer { transposed.base.deallocate() }
    Reduction.transpose(b, into: transposed)
    storage.update(repeating: .nan, count: PackedMatrix.floats(depth: shape.k, columns: shape.n))
    for rows in [0..<shape.k / 3, shape.k / 3..<shape.k] { packed.pack(transposed, rows: rows) }
    MatrixProduct.times(a, packed, into: packedC)
    #expect(Self.values(c) == Self.values(packedC))

    // Depth in two parts, columns in two parts.
    let (half, cut) = (shape.k / 2, min(16, shape.n))
    for columns in [0..<cut, cut..<shape.n] where !columns.isEmpty {
      let part = packed.columns(columns)
      let target = packedC.columns(columns)
      MatrixProduct.times(a.columns(half..<shape.k), part.rows(half..<shape.k), into: target)
      if half > 0 { MatrixProduct.times(a.columns(0..<half), part.rows(0..<half), into: target, accumulate: true) }
    }
    Self.expectClose(packedC, Self.values(c), k: shape.k)
  }

  @Test func aRowOfAProductDependsOnThatRowAlone() {
    let (rows, k, n) = (41, 500, 37)
    let (a, b) = (Self.matrix(rows, k, seed: 7), Self.matrix(k, n, seed: 8))
    let (all, one) = (Self.matrix(rows, n, seed: 9), Self.matrix(1, n, seed: 9))
    defer { for matrix in [a, b, all, one] { matrix.base.deallocate() } }
    MatrixProduct.times(a, b, into: all, panel: panel)
    for row in 0..<rows {
      MatrixProduct.times(a.rows(row..<row + 1), b, into: one, panel: panel)
      #expect(Self.values(one) == Self.values(all.rows(row..<row + 1)), "row \(row)")
    }
  }

  @Test func aColumnOfAProductDoesNotDependOnTheColumnsBesideIt() {
    let (rows, k, n) = (13, 500, 53)
    let (a, b) = (Self.matrix(rows, k, seed: 7), Self.matrix(k, n, seed: 8))
    let (all, one) = (Self.matrix(rows, n, seed: 9), Self.matrix(rows, 1, seed: 9))
    defer { for matrix in [a, b, all, one] { matrix.base.deallocate() } }
    MatrixProduct.times(a, b, into: all, panel: panel)
    for column in 0..<n {
      MatrixProduct.times(a, b.columns(column..<column + 1), into: one, panel: panel)
      #expect(Self.values(one) == Self.values(all.columns(column..<column + 1)), "column \(column)")
    }
  }

  @Test(arguments: ProductShape.all + [ProductShape(m: 300, n: 20, k: 700)])
  func theGradientProductAddsTheSameSums(shape: ProductShape) {
    let (a, b) = (Self.matrix(shape.k, shape.m, seed: 10), Self.matrix(shape.k, shape.n, seed: 11))
    let (c, expected) = (Self.matrix(shape.m, shape.n, seed: 12), Self.matrix(shape.m, shape.n, seed: 12))
    defer { for matrix in [a, b, c, expected] { matrix.base.deallocate() } }
    withPanels(shape.k, shape.m) { packedA in
      packedA.pack(a, rows: 0..<shape.k)
      withPanels(shape.k, shape.n) { packedB in
        packedB.pack(b, rows: 0..<shape.k)
        GradientProduct.add(packedA, packedB, to: c)
      }
    }
    MatrixProduct.transposedTimes(a, b, into: expected, accumulate: true, panel: panel)
    #expect(Self.values(c) == Self.values(expected))
  }

  @Test(arguments: ProductShape.all) func columnSumsOfPanelsAreThoseOfTheMatrix(shape: ProductShape) {
    let a = Self.matrix(shape.k, shape.n, seed: 13)
    defer { a.base.deallocate() }
    var (sums, expected) = (pseudoRandom(shape.n, 14), pseudoRandom(shape.n, 14))
    Reduction.addColumnSums(a, to: &expected)
    withPanels(shape.k, shape.n) { packed in
      packed.pack(a, rows: 0..<shape.k)
      Reduction.addColumnSums(packed, to: &sums)
      let rows = shape.k / 3..<shape.k / 2
      packed.clear(rows: rows)
      for row in 0..<shape.k { #expect(packed.values(row, ofPanel: 0)[0] == (rows.contains(row) ? 0 : a.row(row)[0])) }
    }
    #expect(sums == expected)
  }

  @Test(arguments: [1, 8, 13, 1_003]) func sumsOfSquaresAndZerosAreThoseOfThePlainLoop(count: Int) {
    var x = pseudoRandom(count, 18)
    let expected = x.reduce(0) { $0 + Double($1) * Double($1) }
    #expect(abs(Reduction.sumOfSquares(x, count: count) - expected) <= 1e-12 * expected)
    #expect(!Reduction.isZero(x, count: count))
    x = Array(repeating: -0.0, count: count)
    #expect(Reduction.isZero(x, count: count))
    x[count - 1] = .leastNonzeroMagnitude
    #expect(!Reduction.isZero(x, count: count))
    x[count - 1] = .nan
    #expect(!Reduction.isZero(x, count: count))
  }

  @Test(arguments: [(1, 1), (3, 9), (4, 8), (5, 16), (22, 130)]) func aMatrixTimesAVectorAgreesWithOpenBLAS(m: Int, k: Int) {
    let a = Self.matrix(m, k, seed: 13)
    defer { a.base.deallocate() }
    let x = pseudoRandom(k, 14)
    var y = pseudoRandom(m, 15)
    var expected = y
    cblas_sgemv(CblasRowMajor, CblasNoTrans, Int32(m), Int32(k), 1, a.base, Int32(a.stride), x, 1, 1, &expected, 1)
    MatrixProduct.addTimesVector(a, x, to: &y)
    #expect(y.count == expected.count)
    for (got, expected) in zip(y, expected) { #expect(abs(got - expected) <= 1e-5) }
  }
}
