import MixCompare
import MixGRPO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A person as the reward: shows each group on a page of this machine and waits for votes.
final class PersonReward: PictureReward {
  private let session: VotingSession
  private let server: LoopbackServer?
  private let groupSize: Int
  private let context: RunContext
  private var rows: [Int] = []
  private static let pollInterval: UInt32 = 50_000

  /// - Parameters:
  ///   - order: decides which groups the run will show, so that no page is opened when all votes are stored.
  ///   - begun: the iteration that the run begins with.
  ///   - announce: receives the address.
  /// - Throws: `inputOutput` when the port is in use or the votes cannot be read; `invalidFormat`.
  init(
    _ settings: AlignSettings, _ folder: RunFolder, prompts: [String], order: PromptOrder, begun: Int, context: RunContext,
    announce: (String) -> Void
  ) throws(MixGRPOError) {
    (groupSize, self.context) = (settings.groupSize, context)
    let votes = try VotesFile(
      path: folder.votes, replayed: settings.person.votes, seed: settings.sampling.record.seed)
    let groups = (begun..<max(begun, settings.iterations)).flatMap { iteration in
      order.rows(iteration: iteration).map { VotesFile.Group(iteration: iteration, prompt: Int($0)) }
    }
    let isComplete = votes.holds(groups)
    session = VotingSession(
      votes: votes, iterations: settings.iterations, undoSeconds: settings.person.undoSeconds,
      kind: settings.person.kind.rawValue, prompts: Array(prompts.prefix(settings.picturePrompts)))
    guard !isComplete else {
      server = nil
      return
    }
    let page = VotingPage(session: session)
    let server = try LoopbackServer(port: settings.person.port) { page.answer($0) }
    self.server = server
    announce("open this page to vote: \(page.address(port: server.port))")
  }

  deinit { server?.stop() }

  /// Whether the person has ended the run.
  var hasStopped: Bool { session.hasStopped }

  func begin(iteration: Int) {
    session.begin(iteration: iteration)
    session.work("drawing")
    rows = []
  }

  /// What the run does, for the page.
  func isDoing(_ work: String) { session.work(work) }

  /// Shows the group of one prompt; the person may vote on it while the next is drawn.
  func show(_ pictures: [RGBImage], prompt: PromptList.Prompt, row: Int, iteration: Int) throws(MixGRPOError) {
    rows.append(row)
    try session.show(
      VotesFile.Group(iteration: iteration, prompt: row), prompt: prompt.text, pictures: pictures)
  }

  func add(grid: RGBImage, iteration: Int) throws(MixGRPOError) { try session.add(grid: grid, iteration: iteration) }

  /// The scores of the groups that are shown, once the person has voted on all of them; NaN for all when the person has ended the
  /// run.
  func score(_ batch: PictureBatch) throws(MixGRPOError) -> [Double] {
    while true {
      try context.checkCancelled()
      if session.hasStopped { return batch.entries.map { _ in .nan } }
      if let votes = session.finalVotes(count: rows.count) {
        var scores: [Double] = []
        for vote in votes { scores += try vote.scores(pictures: groupSize) }
        return scores
      }
      usleep(Self.pollInterval)
    }
  }

  /// Shows where the results are, and waits a moment until an open page has them.
  func finish(_ results: JSONObject, iteration: Int) {
    session.finish(results, iteration: iteration)
    guard server != nil, let seconds = session.secondsSinceRequest, seconds < 30 else { return }
    for _ in 0..<100 where !session.isSeenToTheEnd { usleep(Self.pollInterval) }
    if session.isSeenToTheEnd { usleep(1_000_000) }  // for the pictures of the last state
  }
}
