import ArgumentParser
import MixCompare
import MixGRPO
import MixSettings
import MixTerminal

#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// The command `mixgrpo`.
package struct MixgrpoCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "mixgrpo",
    abstract: "Aligns flow-matching image models with any reward.",
    discussion: """
      A model draws groups of pictures for each prompt, a reward scores them, and MixGRPO (arXiv 2507.21802) makes the better \
      ones more likely. Models are diffusers folders (FluxTransformer2DModel on patches of pixels), prompts are a text file, \
      and rewards are built in or computed by any program.

      A first run, with the small model that comes with the command:

        printf 'a red circle\\na blue square\\n' > prompts.txt
        mixgrpo align --prompts prompts.txt --out run --reward darkness \\
          --iterations 20 --learning-rate 2e-5
        mixgrpo sample "a red circle" --model run/model --out after.png
        tensorboard --logdir run

      Settings come from a JSON file (--config) and from flags, which take precedence. --print-config prints all settings \
      without running; `mixgrpo settings align` explains them.

      Exit codes: 0 done · 1 the run failed · 2 invalid settings or files · 64 invalid command line · 130 \
      stopped by Ctrl-C, SIGTERM, SIGHUP or a closed pipe, progress saved (a second Ctrl-C stops at once). Errors are one line on standard error: \
      field, expected, got.

      Environment: MIXGRPO_BASE names the folder of another model that is used when --model is not given; TMPDIR is where pictures \
      for reward programs are kept meanwhile.
      """,
    version: "mixgrpo \(libraryVersion)",
    subcommands: [
      PretrainCommand.self, AlignCommand.self, SampleCommand.self, CompareCommand.self, InspectCommand.self, PlanCommand.self,
      SettingsCommand.self,
    ])

  package init() {}

  /// Parses the process's arguments, runs the command, and ends the process.
  /// - Parameter transport: how the processes of a launcher such as mpirun reach each other; nil for a command without one.
  package static func start(_ transport: (any RankTransport)? = nil) -> Never {
    Launcher.use(transport)
    if let error = misspelt(Array(CommandLine.arguments.dropFirst())) { fail(error, code: ExitCode.validationFailure.rawValue) }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as MixGRPOError {
      fail(error.message, code: exitCode(of: error))
    } catch let code as ExitCode {
      finish(code.rawValue)
    } catch {
      let code = exitCode(for: error)
      if code.isSuccess || error is CleanExit { exit(withError: error) }
      let message = message(for: error)
      fail("\(message)\(hint(message, CommandLine.arguments)) (mixgrpo --help)", code: code.rawValue)
    }
    finish(0)
  }

  /// The error of a subcommand that does not exist, also where only its help is wanted.
  static func misspelt(_ arguments: [String]) -> String? {
    let names = configuration.subcommands.map { $0.configuration.commandName ?? "" }
    let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let word = words.first, !word.hasPrefix("-"), !(names + ["help"]).contains(word) else { return nil }
    let near = names.filter { editDistance(word, $0) <= 2 }.min { editDistance(word, $0) < editDistance(word, $1) }
    let question = near.map { "; did you mean \"mixgrpo \($0)\"?" } ?? ""
    return "\(word): expected a subcommand, one of \(names.joined(separator: ", "))\(question) (mixgrpo --help)"
  }

  /// The way out when a negative number is taken for the name of an option.
  private static func hint(_ message: String, _ arguments: [String]) -> String {
    guard message.hasPrefix("Missing value"), let number = arguments.first(where: { $0.hasPrefix("-") && Double($0) != nil })
    else { return "" }
    return "; a negative value follows an equals sign, as in --name=\(number)"
  }

  static func exitCode(of error: MixGRPOError) -> Int32 {
    switch error.code {
    case .cancelled: StopSignals.exitCode
    case .invalidArgument, .invalidFormat, .invalidState, .unsupported: 2
    default: 1
    }
  }

  private static func fail(_ message: String, code: Int32) -> Never {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    StandardError.write("error: \(Printable.text(line))\n")
    finish(code)
  }

  private static func finish(_ code: Int32) -> Never {
    fflush(nil)
    Launcher.finish(code)
    Glibc.exit(code)
  }
}
