import MixBasics

/// Arrays of values that ranks give to each other, in messages of a limited size: transports such as MPI count bytes in 31 bits.
///
/// All ranks make the calls of all pieces, also after one has failed, so that they stay in step.
struct RankMessages {
  let collective: any Collective
  /// The most that a rank receives in one call.
  private let messageBytes: Int
  private var ranks: Int { collective.rank.count }
  private var isFirst: Bool { collective.rank.index == 0 }

  init(_ collective: any Collective, messageBytes: Int = 1 << 28) {
    (self.collective, self.messageBytes) = (collective, messageBytes)
  }

  /// The values of every rank, (ranks, count).
  /// - Parameters:
  ///   - own: at most `count` values.
  ///   - filler: behind them, if there are fewer.
  func gather<Value: BitwiseCopyable>(_ own: [Value], count: Int, filler: Value) throws(MixGRPOError) -> [Value] {
    let sent = own + Array(repeating: filler, count: count - own.count)
    guard ranks > 1 else { return sent }
    let pieces = pieces(of: count, Value.self)
    guard pieces.count > 1 else { return try gatherAtOnce(sent, filler) }
    var received = Array(repeating: filler, count: count * ranks)
    try forEach(pieces) { (piece) throws(MixGRPOError) in
      let values = try gatherAtOnce(Array(sent[piece]), filler)
      for rank in 0..<ranks {
        let first = rank * count + piece.lowerBound
        let part = values[rank * piece.count..<(rank + 1) * piece.count]
        received.replaceSubrange(first..<first + piece.count, with: part)
      }
    }
    return received
  }

  private func gatherAtOnce<Value: BitwiseCopyable>(_ sent: [Value], _ filler: Value) throws(MixGRPOError) -> [Value] {
    var received = Array(repeating: filler, count: sent.count * ranks)
    try passing(sent, &received) { (sent, received) throws(MixGRPOError) in try collective.allGather(sent, into: received) }
    return received
  }

  /// The values of all ranks, one behind the other in the order of the ranks, on the first rank; none on the others.
  /// - Parameters:
  ///   - counts: values of each rank.
  ///   - filler: any value.
  func gatherOnFirst<Value: BitwiseCopyable>(
    _ own: [Value], counts: [Int], filler: Value
  ) throws(MixGRPOError) -> [Value] {
    guard ranks > 1 else { return own }
    var gathered = Array(repeating: filler, count: isFirst ? counts.reduce(0, +) : 0)
    try forEach(pieces(of: counts.max() ?? 0, Value.self)) { (piece) throws(MixGRPOError) in
      let parts = counts.map { piece.clamped(to: 0..<$0) }
      let received = try sendToFirst(Array(own[parts[collective.rank.index]]), parts.map(\.count), filler)
      guard isFirst else { return }
      var (first, place) = (0, 0)
      for (part, count) in zip(parts, counts) {
        let target = first + part.lowerBound
        gathered.replaceSubrange(target..<target + part.count, with: received[place..<place + part.count])
        (first, place) = (first + count, place + part.count)
      }
    }
    return gathered
  }

  /// - Parameter counts: values of each rank.
  private func sendToFirst<Value: BitwiseCopyable>(
    _ own: [Value], _ counts: [Int], _ filler: Value
  ) throws(MixGRPOError) -> [Value] {
    let sizes = counts.map { isFirst ? $0 * MemoryLayout<Value>.stride : 0 }
    var received = Array(repeating: filler, count: isFirst ? counts.reduce(0, +) : 0)
    try passing(own, &received) { (sent, received) throws(MixGRPOError) in
      let sentSizes = (0..<ranks).map { $0 == 0 ? sent.count : 0 }
      try collective.allToAll(sent, sizes: sentSizes, into: received, sizes: sizes)
    }
    return received
  }

  /// Ranges of at most `count` values of each rank of which one message can take those of all.
  private func pieces<Value>(of count: Int, _: Value.Type) -> [Range<Int>] {
    let most = max(1, messageBytes / (ranks * MemoryLayout<Value>.stride))
    return stride(from: 0, to: count, by: most).map { $0..<min(count, $0 + most) }
  }

  private func forEach(
    _ pieces: [Range<Int>], _ call: (Range<Int>) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    var failure: MixGRPOError?
    for piece in pieces {
      do throws(MixGRPOError) { try call(piece) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  private func passing<Value>(
    _ sent: [Value], _ received: inout [Value],
    _ call: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    var failure: MixGRPOError?
    received.withUnsafeMutableBytes { received in
      sent.withUnsafeBytes { sent in
        do throws(MixGRPOError) { try call(sent, received) } catch { failure = error }
      }
    }
    if let failure { throw failure }
  }
}
