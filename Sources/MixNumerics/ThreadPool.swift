internal import CProcess
import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Threads that sleep until a team invites them.
///
/// Threads are created when first needed and kept; in the child of a fork there are none at first. No team waits for them: if
/// threads cannot be created, the leader of a team does all the work. Opening a team allocates memory only when more teams are open than ever before.
package final class ThreadPool: @unchecked Sendable {
  package static let shared = ThreadPool()

  private struct Invitation {
    let team: Team
    let helpers: Int
    var seats: Int
  }

  private static let mostThreads = 1_023
  /// Enough for the kernels; the usual 8 MiB per thread would use up a limit on address space.
  private static let stackBytes = 2 << 20
  private let mutex = mixgrpo_thread_pool_mutex().unsafelyUnwrapped
  private let work: UnsafeMutablePointer<pthread_cond_t>
  private var invitations: [Invitation] = []
  private var spareTeams: [Team] = []
  private var threads = 0
  /// Helpers that the open teams asked for; the pool never has more threads than the maximum of this number.
  private var wanted = 0
  /// Of the process whose threads these are.
  private var forks = mixgrpo_fork_count()

  private init() {
    work = .allocate(capacity: 1)
    pthread_cond_init(work, nil)
    invitations.reserveCapacity(64)
    spareTeams.reserveCapacity(64)
  }

  /// In the child of a fork: begins again without threads. Needs the lock.
  private func forgetThreadsOfParent() {
    guard forks != mixgrpo_fork_count() else { return }
    forks = mixgrpo_fork_count()
    pthread_cond_init(work, nil)
    invitations.removeAll(keepingCapacity: true)
    (threads, wanted) = (0, 0)
  }

  /// A team to lead.
  func open() -> Team {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    forgetThreadsOfParent()
    return spareTeams.popLast() ?? Team()
  }

  /// Invites up to `helpers` threads into an open team.
  func invite(_ team: Team, helpers: Int) {
    pthread_mutex_lock(mutex)
    invitations.append(Invitation(team: team, helpers: helpers, seats: helpers))
    wanted += helpers
    for _ in 0..<max(0, min(wanted, Self.mostThreads) - threads) { startThread() }
    if helpers == 1 { pthread_cond_signal(work) } else { pthread_cond_broadcast(work) }
    pthread_mutex_unlock(mutex)
  }

  /// Closes a team whose program has ended: no helper can join, and all helpers have left.
  func close(_ team: Team) {
    pthread_mutex_lock(mutex)
    let helpers = invitations.firstIndex { $0.team === team }.map { invitations.remove(at: $0).helpers } ?? 0
    pthread_mutex_unlock(mutex)
    team.wait { team.helpers.load(ordering: .acquiring) == 0 }
    pthread_mutex_lock(mutex)
    wanted -= helpers
    spareTeams.append(team)
    pthread_mutex_unlock(mutex)
  }

  private func startThread() {
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
      { _ in
        ThreadPool.shared.serve()
        return nil
      }, nil)
    pthread_sigmask(SIG_SETMASK, &before, nil)
    pthread_attr_destroy(&attributes)
    if status == 0 { threads += 1 }
  }

  private func serve() {
    DefaultArithmetic.set()
    pthread_mutex_lock(mutex)
    while true {
      if let (team, worker) = takeSeat() {
        pthread_mutex_unlock(mutex)
        team.help(worker)
        team.helpers.wrappingSubtract(1, ordering: .releasing)
        pthread_mutex_lock(mutex)
      } else {
        pthread_cond_wait(work, mutex)
      }
    }
  }

  private func takeSeat() -> (Team, worker: Int)? {
    guard let index = invitations.lastIndex(where: { $0.seats > 0 }) else { return nil }
    invitations[index].seats -= 1
    let team = invitations[index].team
    team.helpers.wrappingAdd(1, ordering: .relaxed)
    return (team, invitations[index].seats + 1)
  }
}
