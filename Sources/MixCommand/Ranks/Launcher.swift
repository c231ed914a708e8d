import MixGRPO
import Synchronization

#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// How the processes that a launcher has started reach each other.
package protocol RankTransport: Sendable {
  /// Waits for all processes.
  func start() throws(MixGRPOError) -> any Collective
  /// The last call before the process ends.
  /// - Parameter code: not 0 to end all processes at once with this exit code, because they can no longer wait for each other.
  func finish(_ code: Int32)
}

/// The launcher, such as mpirun, that may have started this process as one of several.
enum Launcher {
  private struct State {
    var transport: (any RankTransport)?
    var isStarted = false
  }
  private static let state = Mutex(State())
  /// Whether the latest exchange with the other processes has failed, so that some may wait for this one forever.
  private static let isBroken = Atomic<Bool>(false)

  /// Number of processes, as Open MPI and MPICH set it.
  private static let counts = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"]
  /// Set for every process of a launcher; Slurm with PMIx gives no count.
  private static let marks = counts + ranks
  private static let ranks = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"]
  private static let localCounts = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"]

  static func use(_ transport: (any RankTransport)?) { state.withLock { $0.transport = transport } }

  /// The exchange with the other processes; nil for a process that was started alone.
  /// - Throws: `unsupported` for one of several processes of a command that was built without MPI.
  static func start() throws(MixGRPOError) -> (any Collective)? {
    guard let transport = state.withLock({ $0.transport }) else {
      try requireAlone()
      return nil
    }
    guard marks.contains(where: { variable($0) != nil }) else { return nil }
    let collective = try transport.start()
    state.withLock { $0.isStarted = true }
    return WatchedCollective(collective) { isBroken.store(!$0, ordering: .releasing) }
  }

  /// Whether this is the process that reports for all of them, or one that runs alone.
  static var isFirst: Bool { state.withLock { $0.transport == nil } || ranks.compactMap(variable).first ?? "0" == "0" }

  private static func requireAlone() throws(MixGRPOError) {
    for name in counts {
      guard let count = variable(name).flatMap({ Int($0) }), count > 1 else { continue }
      throw MixGRPOError(
        .unsupported,
        "\(name): expected 1, because this command was built without MPI, got \(count) processes that would all write into one "
          + "folder; build it with MIXGRPO_MPI=1 make command, or start independent runs with env -u \(name) mixgrpo …")
    }
  }

  /// Whether the latest exchange has failed, so that the other processes may be lost.
  static var hasLostOthers: Bool { isBroken.load(ordering: .acquiring) }

  /// Call before the process ends.
  static func finish(_ code: Int32) {
    let transport = state.withLock { $0.isStarted ? $0.transport : nil }
    transport?.finish(hasLostOthers ? max(1, code) : 0)
  }

  /// Worker threads: as many as are given, or for 0 this process's share of the machine's cores.
  static func threads(_ given: Int) -> Int {
    let processes = localCounts.compactMap { variable($0).flatMap { Int($0) } }.first ?? 1
    return given == 0 && processes > 1 ? Processor.cores(ofEachOf: processes) : given
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Notices whether each call of a transport succeeds.
private final class WatchedCollective: Collective {
  private let collective: any Collective
  private let onResult: (_ isSuccess: Bool) -> Void
  var rank: Rank { collective.rank }

  init(_ collective: any Collective, onResult: @escaping (_ isSuccess: Bool) -> Void) {
    (self.collective, self.onResult) = (collective, onResult)
  }

  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError) {
    try watched { () throws(MixGRPOError) in try collective.allGather(sent, into: received) }
  }

  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError) {
    try watched { () throws(MixGRPOError) in
      try collective.allToAll(sent, sizes: sentSizes, into: received, sizes: receivedSizes)
    }
  }

  private func watched(_ call: () throws(MixGRPOError) -> Void) throws(MixGRPOError) {
    do throws(MixGRPOError) { try call() } catch {
      onResult(false)
      throw error
    }
    onResult(true)
  }
}
