import MixNumerics

// Products of a layer's input with its weights, in the precision in which the weights are packed. A team of one computes all
// columns in one piece; a larger team shares them.

extension SamplePass {
  /// y = x·Wᵀ given Wᵀ packed, or y += x·Wᵀ.
  func project(_ x: Matrix, _ weight: PackedMatrix, into y: Matrix, accumulate: Bool = false) {
    guard weight.precision == .bfloat16 else { return team.project(x, weight, into: y, accumulate: accumulate) }
    let rounded = scratch.rounded(rows: x.rows, columns: x.columns)
    team.forEachRows(x.rows) { rounded.round(x, rows: $0) }
    team.forEachPanel(weight.columns) { columns, _ in
      HalfProduct.times(rounded, weight.columns(columns), into: y.columns(columns), accumulate: accumulate)
    }
  }

  /// The same for two streams in one stage.
  func project(_ x: (Matrix, Matrix), _ weight: (PackedMatrix, PackedMatrix), into y: (Matrix, Matrix)) {
    guard weight.0.precision == .bfloat16 else { return team.project(x, weight, into: y) }
    let rounded = scratch.rounded(rows: (x.0.rows, x.1.rows), columns: x.0.columns)
    team.forEachRows(x.0.rows + x.1.rows) { rows in
      rounded.0.round(x.0, rows: rows.clamped(to: 0..<x.0.rows))
      let rest = rows.clamped(to: x.0.rows..<x.0.rows + x.1.rows)
      rounded.1.round(x.1, rows: rest.lowerBound - x.0.rows..<rest.upperBound - x.0.rows)
    }
    team.forEachPanel(ofTwo: weight.0.columns) { stream, columns in
      let (rounded, weight, y) = stream == 0 ? (rounded.0, weight.0, y.0) : (rounded.1, weight.1, y.1)
      HalfProduct.times(rounded, weight.columns(columns), into: y.columns(columns))
    }
  }
}

extension Team {
  /// One panel for a team of one.
  @inline(__always)
  private func panels(_ columns: Int) -> Panels { Panels(columns: columns, most: self === Team.alone ? 1 : 8, least: 32) }

  /// One stage over the columns of a product.
  @inline(__always)
  fileprivate func forEachPanel(_ columns: Int, _ body: (_ columns: Range<Int>, _ worker: Int) -> Void) {
    let panels = panels(columns)
    forEach(panels.count) { panel, worker in body(panels[panel], worker) }
  }

  /// One stage over the columns of two products with as many columns.
  @inline(__always)
  fileprivate func forEachPanel(ofTwo columns: Int, _ body: (_ product: Int, _ columns: Range<Int>) -> Void) {
    let panels = panels(columns)
    forEach(2 * panels.count) { task, _ in body(task % 2, panels[task / 2]) }
  }

  /// y = x·Wᵀ in float32 given Wᵀ packed, or y += x·Wᵀ.
  @inline(__always)
  func project(_ x: Matrix, _ weight: PackedMatrix, into y: Matrix, accumulate: Bool = false) {
    forEachPanel(weight.columns) { columns, _ in
      MatrixProduct.times(x, weight.columns(columns), into: y.columns(columns), accumulate: accumulate)
    }
  }

  /// The same for two streams in one stage.
  @inline(__always)
  fileprivate func project(_ x: (Matrix, Matrix), _ weight: (PackedMatrix, PackedMatrix), into y: (Matrix, Matrix)) {
    forEachPanel(ofTwo: weight.0.columns) { stream, columns in
      let (x, weight, y) = stream == 0 ? (x.0, weight.0, y.0) : (x.1, weight.1, y.1)
      MatrixProduct.times(x, weight.columns(columns), into: y.columns(columns))
    }
  }

  /// dx = dy·W in float32.
  @inline(__always)
  func projectBackward(_ dy: Matrix, _ weight: Matrix, into dx: Matrix, _ scratch: WorkerScratch) {
    forEachPanel(weight.columns) { columns, worker in
      MatrixProduct.times(dy, weight.columns(columns), into: dx.columns(columns), panel: scratch[worker])
    }
  }
}
