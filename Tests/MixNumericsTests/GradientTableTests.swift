import MixBasics
import Testing

@testable import MixNumerics

/// A kernel with its backward, on inputs of its own.
struct KernelCase: CustomTestStringConvertible, Sendable {
  let name: String
  let inputs: [[Float]]
  /// Central differences lose 1e−7/step to rounding and step⁴ to the stencil.
  var step: Float = 0.02
  var tolerance = 2e-4
  let forward: @Sendable ([[Float]]) -> [Float]
  /// Gradients of all inputs, given that of the output.
  let backward: @Sendable ([[Float]], [Float]) -> [[Float]]

  var testDescription: String { name }
}

/// Values without pattern in −1…1, the same in every run.
func pseudoRandom(_ count: Int, _ seed: Int, scale: Float = 1) -> [Float] {
  (0..<count).map { scale * (Float((($0 + 1) &* 2_654_435_761 &+ seed &* 40_503) >> 7 & 0xFFFF) / 32_768 - 1) }
}

/// Runs `body` on a matrix that views `values`, and gives the values back.
func withMatrix(_ values: [Float], rows: Int, _ body: (Matrix) -> Void) -> [Float] {
  var values = values
  values.withUnsafeMutableBufferPointer { body(Matrix($0.baseAddress!, rows: rows, columns: $0.count / rows)) }
  return values
}

/// Runs `body` on panels for (rows, columns) full of NaN, and gives back their values, padding included.
@discardableResult
func withPanels(_ rows: Int, _ columns: Int, _ body: (PackedMatrix) -> Void) -> [Float] {
  var values = [Float](repeating: .nan, count: PackedMatrix.floats(depth: rows, columns: columns))
  values.withUnsafeMutableBufferPointer { body(PackedMatrix($0.baseAddress!, depth: rows, columns: columns)) }
  return values
}

private let rows = 3
private let width = 21  // not a multiple of the vector width

private let gelu = KernelCase(
  name: "bias and GELU", inputs: [pseudoRandom(rows * width, 1, scale: 3), pseudoRandom(width, 2)],
  forward: { inputs in
    withMatrix(inputs[0].map { _ in 0 }, rows: rows) { output in
      _ = withMatrix(inputs[0], rows: rows) { Activation.biasGELU($0, bias: inputs[1], into: output) }
    }
  },
  backward: { inputs, dy in
    let hidden = (0..<rows * width).map { inputs[0][$0] + inputs[1][$0 % width] }
    let dx = withMatrix(dy, rows: rows) { gradient in
      _ = withMatrix(hidden, rows: rows) { hidden in
        withPanels(rows, width) { Activation.geluBackward(hidden: hidden, activated: $0, firstRow: 0, gradient: gradient) }
      }
    }
    var dBias = [Float](repeating: 0, count: width)
    _ = withMatrix(dx, rows: rows) { Reduction.addColumnSums($0, to: &dBias) }
    return [dx, dBias]
  })

private let silu = KernelCase(
  name: "SiLU", inputs: [pseudoRandom(width, 3, scale: 4)],
  forward: { inputs in
    var y = inputs[0]
    Activation.silu(inputs[0], into: &y, count: width)
    return y
  },
  backward: { inputs, dy in
    var dx = dy
    Activation.siluBackward(inputs[0], dy: dy, into: &dx, count: width)
    return [dx]
  })

private let layerNormalization = KernelCase(
  name: "LayerNorm and modulation",
  inputs: [pseudoRandom(rows * width, 4), pseudoRandom(width, 5), pseudoRandom(width, 6)],
  forward: { inputs in
    withMatrix(inputs[0].map { _ in 0 }, rows: rows) { y in
      _ = withMatrix(inputs[0], rows: rows) {
        LayerNormalization.modulate($0, shift: inputs[1], scale: inputs[2], into: y)
      }
    }
  },
  backward: { inputs, dy in
    var (dShift, dScale) = ([Float](repeating: 0, count: width), [Float](repeating: 0, count: width))
    let dx = withMatrix(inputs[0].map { _ in 0 }, rows: rows) { dx in
      _ = withMatrix(dy, rows: rows) { dy in
        _ = withMatrix(inputs[0], rows: rows) { x in
          withPanels(rows, width) { y in
            LayerNormalization.modulateBackward(
              x, shift: inputs[1], scale: inputs[2], dy: dy, into: dx, y: y, dShift: &dShift, dScale: &dScale)
          }
        }
      }
    }
    return [dx, dShift, dScale]
  })

private let gatedResidual = KernelCase(
  name: "gated residual",
  inputs: [
    pseudoRandom(rows * width, 7), pseudoRandom(rows * width, 8), pseudoRandom(width, 9), pseudoRandom(width, 10),
  ],
  forward: { inputs in
    withMatrix(inputs[0], rows: rows) { x in
      _ = withMatrix(inputs[1], rows: rows) { GatedResidual.apply(x, branch: $0, bias: inputs[2], gate: inputs[3], into: x) }
    }
  },
  backward: { inputs, dy in
    var dGate = [Float](repeating: 0, count: width)
    let biased = (0..<rows * width).map { inputs[1][$0] + inputs[2][$0 % width] }
    let dBranch = withMatrix(dy, rows: rows) { dp in
      _ = withMatrix(dy, rows: rows) { dy in
        _ = withMatrix(biased, rows: rows) {
          GatedResidual.backward(dy: dy, branch: $0, gate: inputs[3], into: dp, dGate: &dGate)
        }
      }
    }
    var dBias = [Float](repeating: 0, count: width)
    _ = withMatrix(dBranch, rows: rows) { Reduction.addColumnSums($0, to: &dBias) }
    return [dy, dBranch, dBias, dGate]
  })

/// Two heads of 10 channels, three tokens that stand apart on two axes.
private func withQueryKey(_ body: (QueryKeyNormalization) -> Void) {
  do {
    let (storage, rotary) = try Arena.allocate("rotary") { RotaryEmbedding(tokens: 3, headDim: 10, &$0) }
    rotary.fill(positions: [0, 0, 1, 0, 0, 2, 1, 3, 1], axesDims: [2, 4, 4])
    withExtendedLifetime(storage) { body(QueryKeyNormalization(heads: 2, rotary: rotary)) }
  } catch {
    Issue.record(error)
  }
}

private let queryKeyNormalization = KernelCase(
  name: "bias, RMSNorm of q and k, rotary embedding",
  inputs: [pseudoRandom(3 * 60, 11), pseudoRandom(60, 12), pseudoRandom(10, 13), pseudoRandom(10, 14)],
  forward: { inputs in
    withMatrix(inputs[0], rows: 3) { joint in
      _ = withMatrix(inputs[0], rows: 3) { raw in
        withQueryKey {
          $0.apply(raw: raw, bias: inputs[1], queryWeight: inputs[2], keyWeight: inputs[3], firstToken: 0, into: joint)
        }
      }
    }
  },
  backward: { inputs, dy in
    var (dq, dk) = ([Float](repeating: 0, count: 10), [Float](repeating: 0, count: 10))
    let biased = (0..<3 * 60).map { inputs[0][$0] + inputs[1][$0 % 60] }
    let dRaw = withMatrix(dy, rows: 3) { dJoint in
      _ = withMatrix(biased, rows: 3) { raw in
        withQueryKey {
          $0.backward(
            raw: raw, dJoint: dJoint, queryWeight: inputs[2], keyWeight: inputs[3], firstToken: 0, into: dJoint,
            dQueryWeight: &dq, dKeyWeight: &dk)
        }
      }
    }
    var dBias = [Float](repeating: 0, count: 60)
    _ = withMatrix(dRaw, rows: 3) { Reduction.addColumnSums($0, to: &dBias) }
    return [dRaw, dBias, dq, dk]
  })

private func attentionCase(tokens: Int, firstQuery: Int = 0) -> KernelCase {
  let attention = Attention(tokens: tokens, heads: 2, headDim: 6, firstQuery: firstQuery, precision: .float32)
  return KernelCase(
    name: "attention over \(tokens) tokens from query \(firstQuery) in \(attention.tiles) tiles",
    inputs: [pseudoRandom(tokens * 36, 15)],
    forward: { inputs in
      var scratch = [Float](repeating: 0, count: attention.scratchCount)
      return withMatrix([Float](repeating: 0, count: tokens * 12), rows: tokens) { output in
        _ = withMatrix(inputs[0], rows: tokens) { qkv in
          for task in 0..<attention.forwardTasks { attention.forward(task, qkv: qkv, into: output, scratch: &scratch) }
        }
      }
    },
    backward: { inputs, dy in
      var scratch = [Float](repeating: 0, count: attention.scratchCount)
      return [
        withMatrix(inputs[0].map { _ in 0 }, rows: tokens) { dQKV in
          _ = withMatrix(dy, rows: tokens) { dOutput in
            _ = withMatrix(inputs[0], rows: tokens) { qkv in
              for head in 0..<2 {
                attention.backward(head: head, qkv: qkv, dOutput: dOutput, into: dQKV, scratch: &scratch)
              }
            }
          }
        }
      ]
    })
}

/// Every backward of the module against central differences of its forward.
@Suite struct GradientTableTests {
  static let table = [
    gelu, silu, layerNormalization, gatedResidual, queryKeyNormalization, attentionCase(tokens: 7),
    attentionCase(tokens: 7, firstQuery: 3),
  ]

  /// What the weight gradients read lies in panels, zeros behind the last column.
  @Test func theBackwardGivesTheForwardAgainInPanels() {
    let hidden = (0..<rows * width).map { gelu.inputs[0][$0] + gelu.inputs[1][$0 % width] }
    let activated = withPanels(rows, width) { panels in
      _ = withMatrix(hidden, rows: rows) { hidden in
        _ = withMatrix(gelu.inputs[0], rows: rows) {
          Activation.geluBackward(hidden: hidden, activated: panels, firstRow: 0, gradient: $0)
        }
      }
    }
    #expect(activated == inPanels(gelu.forward(gelu.inputs)))
    let inputs = layerNormalization.inputs
    var sums = [Float](repeating: 0, count: 2 * width)
    let normalized = withPanels(rows, width) { panels in
      _ = withMatrix(inputs[0], rows: rows) { x in
        _ = withMatrix(inputs[0], rows: rows) { dy in
          _ = withMatrix(inputs[0], rows: rows) { dx in
            sums.withUnsafeMutableBufferPointer {
              LayerNormalization.modulateBackward(
                x, shift: inputs[1], scale: inputs[2], dy: dy, into: dx, y: panels, dShift: $0.baseAddress!,
                dScale: $0.baseAddress! + width)
            }
          }
        }
      }
    }
    #expect(normalized == inPanels(layerNormalization.forward(inputs)))
  }

  private func inPanels(_ values: [Float]) -> [Float] {
    withPanels(rows, width) { panels in _ = withMatrix(values, rows: rows) { panels.pack($0, rows: 0..<rows) } }
  }

  @Test(arguments: table) func backwardAgreesWithDifferences(kernel: KernelCase) {
    let weights = pseudoRandom(kernel.forward(kernel.inputs).count, 99)
    let gradients = kernel.backward(kernel.inputs, weights)
    #expect(gradients.count == kernel.inputs.count)
    for (input, gradient) in gradients.enumerated() {
      for index in gradient.indices {
        let expected = difference(kernel, weights, input, index)
        let error = abs(Double(gradient[index]) - expected)
        #expect(error <= kernel.tolerance * max(1, abs(expected)), "input \(input), value \(index)")
      }
    }
  }

  /// ∂(weights · output)/∂(one input value) by the 4-point stencil.
  private func difference(_ kernel: KernelCase, _ weights: [Float], _ input: Int, _ index: Int) -> Double {
    func value(_ offset: Float) -> Double {
      var inputs = kernel.inputs
      inputs[input][index] += offset * kernel.step
      return zip(kernel.forward(inputs), weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * Double(kernel.step))
  }

  /// Long sequences are cut into tiles: the sum over tiles must be that of one tile.
  @Test func attentionInTilesAgreesWithPlainArithmetic() {
    let tokens = 1_100
    let attention = Attention(tokens: tokens, heads: 1, headDim: 4, precision: .float32)
    #expect(attention.tiles > 1)
    let qkv = pseudoRandom(tokens * 12, 16)
    var scratch = [Float](repeating: 0, count: attention.scratchCount)
    let output = withMatrix([Float](repeating: 0, count: tokens * 4), rows: tokens) { output in
      _ = withMatrix(qkv, rows: tokens) { qkv in
        for task in 0..<attention.forwardTasks { attention.forward(task, qkv: qkv, into: output, scratch: &scratch) }
      }
    }
    for row in [0, 118, 119, 120, 700, tokens - 1] {
      let expected = plainAttention(qkv, row, tokens)
      for channel in 0..<4 { #expect(abs(Double(output[row * 4 + channel]) - expected[channel]) <= 1e-5, "row \(row)") }
    }
  }

  @Test(arguments: Precision.allCases) func rowsThatAreNoQueriesChangeNoOther(precision: Precision) {
    let (tokens, firstQuery) = (50, 13)
    let qkv = pseudoRandom(tokens * 36, 17)
    func outputs(firstQuery: Int) -> [Float] {
      let attention = Attention(tokens: tokens, heads: 2, headDim: 6, firstQuery: firstQuery, precision: precision)
      var scratch = [Float](repeating: .nan, count: attention.scratchCount)
      return withMatrix([Float](repeating: 7, count: tokens * 12), rows: tokens) { output in
        _ = withMatrix(qkv, rows: tokens) { qkv in
          for task in 0..<attention.forwardTasks { attention.forward(task, qkv: qkv, into: output, scratch: &scratch) }
        }
      }
    }
    let (all, some) = (outputs(firstQuery: 0), outputs(firstQuery: firstQuery))
    #expect(some.prefix(firstQuery * 12).allSatisfy { $0 == 7 })
    #expect(some.dropFirst(firstQuery * 12).elementsEqual(all.dropFirst(firstQuery * 12)))
  }

  /// Factors keep 8 bits: results differ by about 1/256 of the greatest value.
  @Test(arguments: [(tokens: 9, firstQuery: 0), (50, 13), (1_100, 0)])
  func attentionInBfloat16IsNearThatInFloat32(tokens: Int, firstQuery: Int) {
    let (qkv, dOutput) = (pseudoRandom(tokens * 36, 18), pseudoRandom(tokens * 12, 19))
    func results(_ precision: Precision) -> [[Float]] {
      let attention = Attention(tokens: tokens, heads: 2, headDim: 6, firstQuery: firstQuery, precision: precision)
      var scratch = [Float](repeating: .nan, count: attention.scratchCount)
      var (output, gradient) = ([Float](repeating: 0, count: tokens * 12), qkv.map { _ in Float(0) })
      _ = withMatrix(qkv, rows: tokens) { qkv in
        output = withMatrix(output, rows: tokens) { output in
          for task in 0..<attention.forwardTasks { attention.forward(task, qkv: qkv, into: output, scratch: &scratch) }
        }
        gradient = withMatrix(gradient, rows: tokens) { gradient in
          _ = withMatrix(dOutput, rows: tokens) { dOutput in
            for head in 0..<2 {
              attention.backward(head: head, qkv: qkv, dOutput: dOutput, into: gradient, scratch: &scratch)
            }
          }
        }
      }
      return [output, gradient]
    }
    for (half, single) in zip(results(.bfloat16), results(.float32)) {
      let greatest = single.reduce(0) { max($0, abs($1)) }
      #expect(half != single)
      #expect(zip(half, single).allSatisfy { abs($0 - $1) <= greatest / 50 })
    }
  }

  private func plainAttention(_ qkv: [Float], _ row: Int, _ tokens: Int) -> [Double] {
    let scores = (0..<tokens).map { key in
      (0..<4).reduce(0.0) { $0 + Double(qkv[row * 12 + $1]) * Double(qkv[key * 12 + 4 + $1]) } / 2
    }
    let weights = scores.map { exponential($0) }
    let total = weights.reduce(0, +)
    return (0..<4).map { channel in
      (0..<tokens).reduce(0.0) { $0 + weights[$1] * Double(qkv[$1 * 12 + 8 + channel]) } / total
    }
  }

  /// e^x by its series, after halving x ten times.
  private func exponential(_ x: Double) -> Double {
    let y = x / 1_024
    var result = 1 + y + y * y / 2 + y * y * y / 6 + y * y * y * y / 24
    for _ in 0..<10 { result *= result }
    return result
  }
}
