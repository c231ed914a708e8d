internal import CProcess
internal import CProcessor
import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Threads that sleep until a team invites them.
///
/// Threads are created when first needed and kept; in the child of a fork there are none at first. No team waits for them: if
/// threads cannot be created, the leader of a team does all the work. Opening a team allocates memory only when more teams are open
/// than ever before, or leaders run on another set of cores.
///
/// A thread inherits the cores of the leader that needed it first, and joins only leaders that may run on the same ones. So a host
/// that binds its threads to sockets has the helpers of each on its own.
package final class ThreadPool: @unchecked Sendable {
  package static let shared = ThreadPool()

  private struct Invitation {
    let team: Team
    let cores: UInt64
    let helpers: Int
    var seats: Int
  }

  /// The threads of one set of cores.
  private struct Group {
    let cores: UInt64
    var threads = 0
    /// Helpers that the open teams asked for; the group never has more threads than the maximum of this number.
    var wanted = 0
  }

  private static let mostThreads = 1_023
  /// Enough for the kernels; the usual 8 MiB per thread would use up a limit on address space.
  private static let stackBytes = 2 << 20
  private let mutex = mixgrpo_thread_pool_mutex().unsafelyUnwrapped
  private let work: UnsafeMutablePointer<pthread_cond_t>
  private var invitations: [Invitation] = []
  private var spareTeams: [Team] = []
  private var groups: [Group] = []
  private var threads: Int { groups.reduce(0) { $0 + $1.threads } }
  /// Of the process whose threads these are.
  private var forks = mixgrpo_fork_count()

  private init() {
    work = .allocate(capacity: 1)
    pthread_cond_init(work, nil)
    invitations.reserveCapacity(64)
    spareTeams.reserveCapacity(64)
    groups.reserveCapacity(64)
  }

  /// In the child of a fork: begins again without threads. Needs the lock.
  private func forgetThreadsOfParent() {
    guard forks != mixgrpo_fork_count() else { return }
    forks = mixgrpo_fork_count()
    pthread_cond_init(work, nil)
    invitations.removeAll(keepingCapacity: true)
    groups.removeAll(keepingCapacity: true)
  }

  /// A team to lead.
  func open() -> Team {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    forgetThreadsOfParent()
    return spareTeams.popLast() ?? Team()
  }

  /// Invites up to `helpers` threads into an open team of the calling thread.
  func invite(_ team: Team, helpers: Int) {
    let cores = mixgrpo_core_set()
    pthread_mutex_lock(mutex)
    invitations.append(Invitation(team: team, cores: cores, helpers: helpers, seats: helpers))
    let index = group(of: cores)
    groups[index].wanted += helpers
    let missing = min(groups[index].wanted - groups[index].threads, Self.mostThreads - threads)
    for _ in 0..<max(0, missing) where startThread(cores) { groups[index].threads += 1 }
    if helpers == 1, groups.count == 1 { pthread_cond_signal(work) } else { pthread_cond_broadcast(work) }
    pthread_mutex_unlock(mutex)
  }

  /// Needs the lock.
  private func group(of cores: UInt64) -> Int {
    if let index = groups.firstIndex(where: { $0.cores == cores }) { return index }
    groups.append(Group(cores: cores))
    return groups.count - 1
  }

  /// Closes a team whose program has ended: no helper can join, and all helpers have left.
  func close(_ team: Team) {
    pthread_mutex_lock(mutex)
    let invitation = invitations.firstIndex { $0.team === team }.map { invitations.remove(at: $0) }
    pthread_mutex_unlock(mutex)
    team.wait { team.helpers.load(ordering: .acquiring) == 0 }
    pthread_mutex_lock(mutex)
    if let invitation { groups[group(of: invitation.cores)].wanted -= invitation.helpers }
    spareTeams.append(team)
    pthread_mutex_unlock(mutex)
  }

  /// The thread inherits the caller's cores.
  private func startThread(_ cores: UInt64) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Signals of the host are not delivered to these threads.
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { cores in
        ThreadPool.shared.serve(UInt64(UInt(bitPattern: cores)))
        return nil
      }, UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: cores)))
    pthread_sigmask(SIG_SETMASK, &before, nil)
    pthread_attr_destroy(&attributes)
    return status == 0
  }

  private func serve(_ cores: UInt64) {
    DefaultArithmetic.set()
    pthread_mutex_lock(mutex)
    while true {
      if let (team, worker) = takeSeat(cores) {
        pthread_mutex_unlock(mutex)
        team.help(worker)
        team.helpers.wrappingSubtract(1, ordering: .releasing)
        pthread_mutex_lock(mutex)
      } else {
        pthread_cond_wait(work, mutex)
      }
    }
  }

  private func takeSeat(_ cores: UInt64) -> (Team, worker: Int)? {
    guard let index = invitations.lastIndex(where: { $0.seats > 0 && $0.cores == cores }) else { return nil }
    invitations[index].seats -= 1
    let team = invitations[index].team
    team.helpers.wrappingAdd(1, ordering: .relaxed)
    return (team, invitations[index].seats + 1)
  }
}
