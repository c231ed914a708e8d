import ArgumentParser
import MixStorage
import ProceduralWorld

@main
struct DrawWorld: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "world",
    abstract: "Draws pictures of the procedural world with their captions, as `mixgrpo pretrain` reads them.",
    discussion: """
      Writes OUT/000000.png, … and OUT/metadata.jsonl, a line {"file_name": …, "text": …} for each picture. A picture depends only \
      on the seed and its number.

        world --out pictures --count 20000
        mixgrpo pretrain --data pictures --out run
      """)

  @Option(help: "Folder for the pictures.") var out: String
  @Option(help: "Number of pictures.") var count = 20_000
  @Option(help: "Seed of the pictures.") var seed: UInt64 = 0

  func validate() throws {
    guard (1...1_000_000).contains(count) else { throw ValidationError("--count: expected 1…1000000, got \(count)") }
  }

  func run() throws {
    try FileAccess.createFolder(out)
    let world = WorldPictures(seed: seed)
    var lines = ""
    for number in 0..<count {
      let (scene, jitter) = world.draw(number)
      let name = Self.fileName(number)
      try PNG.write(scene.render(jitter), to: FileAccess.join(out, name))
      lines += #"{"file_name": "\#(name)", "text": "\#(scene.caption)"}"# + "\n"
    }
    try AtomicFile.write([UInt8](lines.utf8), to: FileAccess.join(out, "metadata.jsonl"))
  }

  private static func fileName(_ number: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: 6 - digits.count) + digits + ".png"
  }
}
