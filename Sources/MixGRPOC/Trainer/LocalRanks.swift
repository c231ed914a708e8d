import CMixGRPO
import MixBasics
import MixGRPO
import MixSampling

/// Ranks that are threads of the host.
final class LocalRanksObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "local_ranks" }
  let ranks: LocalRanks
  /// The `user_data` of each rank's collective.
  let members: [OpaquePointer]

  init(_ ranks: LocalRanks) throws(MixGRPOError) {
    try Memory.require(ranks.count, of: 512)
    var members: [OpaquePointer] = []
    for rank in 0..<ranks.count { members.append(try HandleTable.live.add(LocalRankObject(ranks[rank]))) }
    (self.ranks, self.members) = (ranks, members)
  }

  deinit { for member in members { HandleTable.live.remove(member, LocalRankObject.self) } }
}

/// One of them. Its handle is an opaque id too, so that a callback of a destroyed transport is an error and not a crash.
private final class LocalRankObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "local rank" }
  let collective: any Collective

  init(_ collective: any Collective) { self.collective = collective }

  /// - Parameter userData: of the rank's callbacks.
  static func resolved(_ userData: UnsafeMutableRawPointer?) throws(MixGRPOError) -> any Collective {
    try resolve(userData.map { OpaquePointer($0) }, "user_data", as: LocalRankObject.self).collective
  }
}

/// The rank behind callbacks of this library, which a trainer then reaches without them and keeps alive; nil for others.
/// - Throws: `invalidArgument` when `callbacks` are of a destroyed transport, or of another rank.
func localCollective(behind callbacks: mixgrpo_collective, _ rank: Rank) throws(MixGRPOError) -> (any Collective)? {
  guard isSame(callbacks.all_gather, gatherCallback), isSame(callbacks.all_to_all, scatterCallback) else { return nil }
  let collective = try LocalRankObject.resolved(callbacks.user_data)
  try require(
    collective.rank == rank, "rank, size", expected: "\(collective.rank.index), \(collective.rank.count), as of user_data",
    got: "\(rank.index), \(rank.count)")
  return collective
}

private func isSame<Function>(_ callback: Function?, _ other: Function) -> Bool {
  callback.map { unsafeBitCast($0, to: UnsafeRawPointer.self) } == unsafeBitCast(other, to: UnsafeRawPointer.self)
}

// MARK: - Callbacks

private var gatherCallback: mixgrpo_all_gather_callback {
  { userData, sent, received, bytes in
    withStatus {
      let collective = try LocalRankObject.resolved(userData)
      let all = try checkedProduct(bytes, collective.rank.count, "bytes")
      try collective.allGather(rawInput(sent, bytes, "sent"), into: rawOutput(received, all, "received"))
    }
  }
}

private var scatterCallback: mixgrpo_all_to_all_callback {
  { userData, sent, sentBytes, received, receivedBytes in
    withStatus {
      let collective = try LocalRankObject.resolved(userData)
      let sentSizes = try pieceSizes(sentBytes, collective.rank, "sent_bytes")
      let receivedSizes = try pieceSizes(receivedBytes, collective.rank, "received_bytes")
      try collective.allToAll(
        rawInput(sent, sentSizes.reduce(0, +), "sent"), sizes: sentSizes,
        into: rawOutput(received, receivedSizes.reduce(0, +), "received"), sizes: receivedSizes)
    }
  }
}

/// The bytes of each piece. Their sum is a size in memory.
private func pieceSizes(
  _ pointer: UnsafePointer<Int>?, _ rank: Rank, _ argument: String
) throws(MixGRPOError) -> [Int] {
  let sizes = Array(try input(pointer, count: rank.count, argument))
  for size in sizes { try checkedProduct(size, rank.count, argument) }
  return sizes
}

private func rawInput(
  _ pointer: UnsafeRawPointer?, _ bytes: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeRawBufferPointer {
  try require(pointer != nil || bytes == 0, argument, expected: "\(bytes) bytes", got: "NULL")
  return UnsafeRawBufferPointer(start: pointer, count: bytes)
}

private func rawOutput(
  _ pointer: UnsafeMutableRawPointer?, _ bytes: Int, _ argument: String
) throws(MixGRPOError) -> UnsafeMutableRawBufferPointer {
  try require(pointer != nil || bytes == 0, argument, expected: "room for \(bytes) bytes", got: "NULL")
  return UnsafeMutableRawBufferPointer(start: pointer, count: bytes)
}

// MARK: - Functions

@_cdecl("mixgrpo_local_ranks_create") @implementation
public func mixgrpo_local_ranks_create(
  _ count: Int32, _ time_limit: Double, _ out_ranks: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_ranks, "out_ranks") {
    try LocalRanksObject(LocalRanks(count: Int(count), timeLimit: time_limit))
  }
}

@_cdecl("mixgrpo_local_ranks_destroy") @implementation
public func mixgrpo_local_ranks_destroy(_ ranks: OpaquePointer?) {
  HandleTable.live.remove(ranks, LocalRanksObject.self)
}

@_cdecl("mixgrpo_local_ranks_get_collective") @implementation
public func mixgrpo_local_ranks_get_collective(
  _ ranks: OpaquePointer?, _ rank: Int32, _ out_collective: UnsafeMutablePointer<mixgrpo_collective>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(ranks, "ranks", as: LocalRanksObject.self)
    let place = try HostStruct(out_collective, "out_collective")
    let rank = try Rank(Int(rank), of: object.ranks.count)
    var collective = mixgrpo_collective()
    (collective.rank, collective.size) = (Int32(rank.index), Int32(rank.count))
    collective.user_data = UnsafeMutableRawPointer(object.members[rank.index])
    (collective.all_gather, collective.all_to_all) = (gatherCallback, scatterCallback)
    place.write(collective)
  }
}

@_cdecl("mixgrpo_local_ranks_abandon") @implementation
public func mixgrpo_local_ranks_abandon(_ ranks: OpaquePointer?, _ reason: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    let object = try resolve(ranks, "ranks", as: LocalRanksObject.self)
    object.ranks.abandon(try text(reason, "reason"))
  }
}
