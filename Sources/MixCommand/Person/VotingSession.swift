import MixGRPO

/// What the page shows, and what the person has said: shared by the run, which shows groups and waits for votes, and the server,
/// which answers the page. The protocol is that of docs/voting-protocol.md.
final class VotingSession: Sendable {
  /// A request of the page that cannot be granted now.
  enum Refusal: Error, Equatable {
    /// The state has moved on: 409.
    case late(String)
    /// The request makes no sense: 400.
    case invalid(String)
    /// The vote cannot be stored: 500.
    case notStored(String)
  }

  /// A group of pictures that the person sees.
  fileprivate struct Shown {
    let id: Int
    let group: VotesFile.Group
    let prompt: String
    let pictures: [RGBImage]
    let files: [[UInt8]]
    var vote: Vote?
    /// Whether the vote comes from a file.
    var isRepeated = false
    var shownAt = ContinuousClock.now
    var votedAt = ContinuousClock.now
  }

  fileprivate struct Content {
    let votes: VotesFile
    var groups: [Shown] = []  // of the iteration
    var lastID = 0
    var isLearning = false
    var iteration = 0
    var work = "starting"
    var given = 0
    var skipped = 0
    var hasStopped = false
    var grids: [(iteration: Int, file: [UInt8])] = []
    var first: RGBImage?
    var change = 0.0
    var results: JSONObject?
    var hasSeenResults = false
    var lastRequest: ContinuousClock.Instant?
    /// When the page has shown the oldest open group.
    var open: Shown? { groups.first { $0.vote == nil } }
    /// The group whose vote can be taken back.
    var undoable: Shown? { isLearning ? nil : groups.last { $0.vote != nil && !$0.isRepeated } }
  }

  private let content: Guarded<Content>
  private let iterations: Int
  private let undoSeconds: Double
  private let pictureSettings: JSONObject
  private let start = ContinuousClock.now

  /// - Parameters:
  ///   - votes: where votes are stored.
  ///   - iterations: of the run.
  ///   - undoSeconds: how long the last vote of an iteration can be taken back before the model learns from it.
  ///   - kind: how the person votes at first: favourites, stars or pairs.
  ///   - prompts: of the rows of the grids.
  init(votes: VotesFile, iterations: Int, undoSeconds: Double, kind: String, prompts: [String]) {
    content = Guarded(Content(votes: votes))
    (self.iterations, self.undoSeconds) = (iterations, undoSeconds)
    pictureSettings = ["kind": .string(kind), "grid_prompts": .array(prompts.map { .string($0) })]
  }

  // MARK: - For the run

  /// Begins an iteration: groups of the one before are gone.
  func begin(iteration: Int) {
    content.withLock { content in
      content.groups = []
      content.isLearning = false
      content.iteration = iteration
    }
  }

  /// What the run does while the page waits: drawing, learning, pictures.
  func work(_ work: String) { content.withLock { $0.work = work } }

  /// Shows a group, unless a vote on it is stored.
  func show(_ group: VotesFile.Group, prompt: String, pictures: [RGBImage]) throws(MixGRPOError) {
    var files: [[UInt8]] = []
    for picture in pictures { files.append(try PNG.encode(picture)) }
    try content.withLock { (content) throws(MixGRPOError) in
      content.lastID += 1
      var shown = Shown(id: content.lastID, group: group, prompt: prompt, pictures: pictures, files: files)
      if let vote = try content.votes.vote(on: group, pictures: pictures) {
        try content.votes.append(vote, on: group, prompt: prompt, pictures: pictures, seconds: nil)
        (shown.vote, shown.isRepeated) = (vote, true)
        content.count(vote, by: 1)
      }
      content.groups.append(shown)
    }
  }

  /// The votes on all groups of the iteration, in order, once the person cannot take them back any more; nil until then.
  func finalVotes(count: Int) -> [Vote]? {
    content.withLock { content in
      let votes = content.groups.compactMap(\.vote)
      guard votes.count == count else { return nil }
      let isSettled = content.undoable.map { (.now - $0.votedAt) / .seconds(1) >= undoSeconds } ?? true
      guard isSettled else { return nil }
      content.isLearning = true
      content.work = "learning"
      return votes
    }
  }

  /// Whether the person has ended the run.
  var hasStopped: Bool { content.withLock { $0.hasStopped } }

  /// Seconds since the page asked last; nil when it never did.
  var secondsSinceRequest: Double? { content.withLock { $0.lastRequest.map { (.now - $0) / .seconds(1) } } }

  /// Shows a grid of the same prompts and noise as before.
  func add(grid: RGBImage, iteration: Int) throws(MixGRPOError) {
    let file = try PNG.encode(grid)
    content.withLock { content in
      let first = content.first ?? grid
      content.first = first
      content.change = Self.difference(first, grid)
      content.grids.removeAll { $0.iteration >= iteration }
      content.grids.append((iteration, file))
    }
  }

  /// The mean absolute difference of the pixels, 0…1.
  private static func difference(_ first: RGBImage, _ second: RGBImage) -> Double {
    guard first.pixels.count == second.pixels.count, !first.pixels.isEmpty else { return 0 }
    let sum = zip(first.pixels, second.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    return Double(sum) / (255 * Double(first.pixels.count))
  }

  /// Shows the end.
  /// - Parameters:
  ///   - results: names and paths of what the run leaves behind.
  ///   - iteration: the number of iterations done.
  func finish(_ results: JSONObject, iteration: Int) {
    content.withLock { content in
      content.results = results
      content.iteration = iteration
      content.groups = []
    }
  }

  /// Whether a page has fetched the results.
  var isSeenToTheEnd: Bool { content.withLock { $0.hasSeenResults } }
}

extension VotingSession.Content {
  fileprivate mutating func count(_ vote: Vote, by number: Int) {
    if vote == .skipped { skipped += number } else { given += number }
  }
}

// MARK: - For the server

extension VotingSession {
  /// The state as the page reads it.
  func state() -> JSONObject {
    content.withLock { content in
      content.lastRequest = .now
      var state: JSONObject = [
        "iteration": .integer(Int64(content.iteration)), "iterations": .integer(Int64(iterations)),
        "work": .string(content.work), "votes": .integer(Int64(content.given)),
        "skipped": .integer(Int64(content.skipped)), "seconds": .number((.now - start) / .seconds(1)),
        "change": .number(content.change), "stopped": .bool(content.hasStopped),
        "grids": .array(content.grids.map { .integer(Int64($0.iteration)) }),
        "group": content.open.map { .object(Self.json($0)) } ?? .null,
        "undo": content.undoable.map { .integer(Int64($0.id)) } ?? .null,
      ]
      for member in pictureSettings.members { state[member.name] = member.value }
      if let results = content.results {
        state["results"] = .object(results)
        content.hasSeenResults = true
      }
      return state
    }
  }

  fileprivate static func json(_ shown: Shown) -> JSONObject {
    [
      "id": .integer(Int64(shown.id)), "prompt": .string(shown.prompt), "pictures": .integer(Int64(shown.files.count)),
      "width": .integer(Int64(shown.pictures.first?.width ?? 0)), "height": .integer(Int64(shown.pictures.first?.height ?? 0)),
    ]
  }

  /// The PNG of a member of a group that is still there.
  func picture(group: Int, member: Int) -> [UInt8]? {
    content.withLock { content in
      let files = content.groups.first { $0.id == group }?.files ?? []
      return files.indices.contains(member) ? files[member] : nil
    }
  }

  func grid(iteration: Int) -> [UInt8]? {
    content.withLock { content in content.grids.first { $0.iteration == iteration }?.file }
  }

  /// Takes a vote, `{"group": 17, "favourites": [2, 5]}` or the other forms of `Vote`.
  func vote(_ object: JSONObject) throws(Refusal) {
    try content.withLock { (content) throws(Refusal) in
      let place = try content.place(of: object)
      guard content.groups[place].vote == nil else { throw .late("this group has a vote already") }
      guard !content.hasStopped else { throw .late("the run has been ended") }
      let shown = content.groups[place]
      let vote: Vote
      do throws(MixGRPOError) { vote = try Vote(object, pictures: shown.files.count) } catch { throw .invalid(error.message) }
      let seconds = (.now - shown.shownAt) / .seconds(1)
      do throws(MixGRPOError) {
        try content.votes.append(
          vote, on: shown.group, prompt: shown.prompt, pictures: shown.pictures, seconds: seconds)
      } catch { throw .notStored(error.message) }
      content.groups[place].vote = vote
      content.groups[place].votedAt = .now
      content.count(vote, by: 1)
    }
  }

  /// Takes the latest vote back, `{"group": 17}`.
  func undo(_ object: JSONObject) throws(Refusal) {
    try content.withLock { (content) throws(Refusal) in
      let place = try content.place(of: object)
      guard !content.isLearning else { throw .late("the model has already learned from this vote") }
      guard let vote = content.groups[place].vote, !content.groups[place].isRepeated else {
        throw .late("this group has no vote that could be taken back")
      }
      let shown = content.groups[place]
      do throws(MixGRPOError) {
        try content.votes.appendUndo(of: shown.group, prompt: shown.prompt)
      } catch { throw .notStored(error.message) }
      content.groups[place].vote = nil
      content.groups[place].shownAt = .now
      content.count(vote, by: -1)
    }
  }

  /// Ends the run after what it is doing.
  func stop() { content.withLock { $0.hasStopped = true } }
}

extension VotingSession.Content {
  fileprivate func place(of object: JSONObject) throws(VotingSession.Refusal) -> Int {
    guard let id = object["group"]?.integer else { throw .invalid("group: expected a whole number, got none") }
    guard let place = groups.firstIndex(where: { $0.id == id }) else {
      throw id > 0 && id <= lastID
        ? .late("the model has already learned from this group") : .invalid("group: expected one that was shown, got \(id)")
    }
    return place
  }
}
