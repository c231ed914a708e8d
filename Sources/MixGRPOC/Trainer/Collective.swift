import CMixGRPO
import MixBasics
import MixGRPO
import MixSampling

/// The callbacks with which a host exchanges bytes among its ranks.
private final class HostCollective: Collective {
  let rank: Rank
  private let userData: UnsafeMutableRawPointer?
  private let gather: mixgrpo_all_gather_callback
  private let scatter: mixgrpo_all_to_all_callback

  /// - Throws: `invalidArgument` naming each field that does not fit.
  init(_ callbacks: mixgrpo_collective) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try requireReserved(callbacks.reserved) }
    check.require((1...1_000_000).contains(callbacks.size), "size", expected: "1…1000000", got: callbacks.size)
    check.require(
      (0..<max(callbacks.size, 1)).contains(callbacks.rank), "rank", expected: "0…size − 1", got: callbacks.rank)
    check.require(callbacks.all_gather != nil, "all_gather", expected: "a function", got: "NULL")
    check.require(callbacks.all_to_all != nil, "all_to_all", expected: "a function", got: "NULL")
    try check.throwIfAny()
    guard let gather = callbacks.all_gather, let scatter = callbacks.all_to_all else {
      throw MixGRPOError(.internalFault, "collective: expected callbacks, got none")
    }
    (self.gather, self.scatter, userData) = (gather, scatter, callbacks.user_data)
    rank = try Rank(Int(callbacks.rank), of: Int(callbacks.size))
  }

  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError) {
    try Self.require(gather(userData, sent.baseAddress, received.baseAddress, sent.count), "all_gather")
  }

  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError) {
    try Self.require(
      scatter(userData, sent.baseAddress, sentSizes, received.baseAddress, receivedSizes), "all_to_all")
  }

  private static func require(_ status: Int32, _ call: String) throws(MixGRPOError) {
    guard status == 0 else {
      throw MixGRPOError(.inputOutput, "collective: expected \(call) to return 0, got \(status)")
    }
  }
}

@_cdecl("mixgrpo_trainer_set_collective") @implementation
public func mixgrpo_trainer_set_collective(
  _ trainer: OpaquePointer?, _ collective: UnsafePointer<mixgrpo_collective>?
) -> mixgrpo_status {
  withStatus {
    let trainer = try resolve(trainer, "trainer", as: TrainerObject.self).trainer(for: "set_collective")
    guard let callbacks = try readOptional(collective, "collective") else { return try trainer.setCollective(nil) }
    let host = try HostCollective(callbacks)
    try trainer.setCollective(localCollective(behind: callbacks, host.rank) ?? host)
  }
}
