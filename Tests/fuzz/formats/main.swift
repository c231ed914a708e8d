import Glibc
import MixStorage

// Feeds damaged inputs to everything that reads: files, JSON, pictures, prompts.
//
//   formats FORMAT|all [--inputs N] [--seed S]     seeded mutations; the same seed makes the same inputs
//   formats FORMAT --replay FILE…                  whole files, such as those in Tests/fuzz/regressions
//   formats FORMAT --seeds FOLDER                  writes good inputs, and FOLDER.tokens, for other fuzzers to begin with
//   formats FORMAT --libfuzzer ARGUMENTS…          coverage-guided; only in a build with -sanitize=fuzzer
//
// A trap ends the program; the input that did it is then in FORMAT.input of the current folder, after 8 bytes of its length.

struct Campaign {
  let format: Format
  let inputs: Int
  let seed: UInt64
  /// No input takes longer, in seconds.
  static let patience: UInt32 = 30

  func run() throws {
    let reader = try Reader(format)
    defer { reader.scratch.remove() }
    let latest = LatestInput("\(format.rawValue).input")
    var mutation = Mutation(seed: seed, samples: reader.small.samples(of: format), tokens: format.tokens)
    var accepted = 0
    for sample in mutation.corpus { mutation.note(sample, outcome: reader.read(sample)) }
    for _ in 0..<inputs {
      let input = mutation.next()
      latest.note(input)
      alarm(Self.patience)
      let outcome = reader.read(input)
      if outcome == "accepted" { accepted += 1 }
      mutation.note(input, outcome: outcome)
    }
    alarm(0)
    latest.remove()
    print("\(format.rawValue): \(inputs) inputs, \(accepted) accepted, \(mutation.corpus.count) kinds of outcome")
  }
}

func option(_ name: String) -> UInt64? {
  guard let index = CommandLine.arguments.firstIndex(of: name), index + 1 < CommandLine.arguments.count else { return nil }
  return UInt64(CommandLine.arguments[index + 1])
}

/// The samples as files of `folder`, and the tokens as a dictionary beside it.
func writeSeeds(_ format: Format, _ folder: String) throws {
  let reader = try Reader(format)
  defer { reader.scratch.remove() }
  try FileAccess.createFolder(folder)
  for (number, sample) in reader.small.samples(of: format).enumerated() {
    try AtomicFile.write(sample, to: FileAccess.join(folder, "sample-\(number)"))
  }
  let hexadecimal = Array("0123456789abcdef")
  let lines = format.tokens.map { token in
    "\"" + token.utf8.map { "\\x\(hexadecimal[Int($0 >> 4)])\(hexadecimal[Int($0 & 15)])" }.joined() + "\"\n"
  }
  try AtomicFile.write(Array(lines.joined().utf8), to: folder + ".tokens")
}

/// Ends with a line on standard error.
func quit(_ message: String) -> Never {
  let line = Array((message + "\n").utf8)
  _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  exit(2)
}

func usage() -> Never {
  quit("usage: formats \(Format.allCases.map(\.rawValue).joined(separator: "|"))|all [--inputs N] [--seed S]")
}

let arguments = CommandLine.arguments.dropFirst()
guard let first = arguments.first, first == "all" || Format(rawValue: first) != nil else { usage() }
let formats = Format(rawValue: first).map { [$0] } ?? Format.allCases

if arguments.dropFirst().first == "--replay" {
  let reader = try Reader(formats[0])
  for path in arguments.dropFirst(2) {
    print("\(path): \(reader.read(try FileAccess.read(path, limit: 1 << 28)))")
  }
  reader.scratch.remove()
} else if arguments.dropFirst().first == "--seeds", let folder = arguments.dropFirst(2).first {
  try writeSeeds(formats[0], folder)
} else if arguments.dropFirst().first == "--libfuzzer" {
  runLibFuzzer(formats[0], Array(arguments.dropFirst(2)))
} else {
  for format in formats {
    try Campaign(format: format, inputs: Int(option("--inputs") ?? 100_000), seed: option("--seed") ?? 1).run()
  }
}
