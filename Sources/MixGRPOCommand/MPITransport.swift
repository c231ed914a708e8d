#if MIXGRPO_MPI
import MPICollective
import MixCommand
import MixGRPO

/// The processes of mpirun, over the transport of examples/mpi.
struct MPITransport: RankTransport {
  func start() throws(MixGRPOError) -> any Collective {
    var (rank, size) = (Int32(0), Int32(1))
    let status = mpi_ranks_start(&rank, &size)
    guard status == 0 else { throw MixGRPOError(.inputOutput, "MPI: expected to start, got error \(status)") }
    return MPIRanks(try Rank(Int(rank), of: Int(size)))
  }

  func finish(_ code: Int32) { mpi_ranks_finish(code) }
}

private final class MPIRanks: Collective {
  let rank: Rank

  init(_ rank: Rank) { self.rank = rank }

  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError) {
    try Self.require(
      mpi_ranks_all_gather(nil, sent.baseAddress, received.baseAddress, sent.count), "all_gather of \(sent.count) bytes")
  }

  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError) {
    try Self.require(
      mpi_ranks_all_to_all(nil, sent.baseAddress, sentSizes, received.baseAddress, receivedSizes),
      "all_to_all of \(sent.count) bytes")
  }

  private static func require(_ status: Int32, _ call: String) throws(MixGRPOError) {
    guard status == 0 else {
      throw MixGRPOError(.inputOutput, "MPI: expected \(call) (at most \(Int32.max)) to succeed, got error \(status)")
    }
  }
}
#endif
