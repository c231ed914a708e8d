import ArgumentParser
import MixCompare
import MixGRPO

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
      ones likelier. Models are folders as diffusers keeps them (FluxTransformer2DModel on patches of pixels); prompts are a \
      text file; rewards are built in, or any program of yours.

      A first run, from the root of the repository:

        printf 'a red circle\\na blue square\\n' > prompts.txt
        mixgrpo align --model examples/base --prompts prompts.txt --out run \\
          --reward darkness --prompts-per-iteration 2 --iterations 20 \\
          --learning-rate 2e-5
        mixgrpo sample "a red circle" --model run/model --out after.png
        tensorboard --logdir run

      Settings come from a JSON file (--config), then from flags; --print-config prints all of them and runs nothing, and \
      `mixgrpo settings align` explains them.

      Exit codes: 0 done · 1 the run failed · 2 settings or a file do not fit · 64 the command line is not understood · 130 \
      stopped by Ctrl-C or SIGTERM, progress saved (a second Ctrl-C stops at once). Errors are one line on standard error: \
      field, expected, got.
      """,
    version: "mixgrpo \(libraryVersion)",
    subcommands: [
      PretrainCommand.self, AlignCommand.self, SampleCommand.self, CompareCommand.self, InspectCommand.self, PlanCommand.self,
      SettingsCommand.self,
    ])

  package init() {}

  /// Parses the process's arguments, runs, and ends the process.
  package static func start() -> Never {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as MixGRPOError {
      fail(error.message, code: exitCode(of: error))
    } catch {
      let code = exitCode(for: error)
      if code.isSuccess || error is CleanExit { exit(withError: error) }
      fail("\(message(for: error)) (mixgrpo --help)", code: code.rawValue)
    }
    finish(0)
  }

  private static func exitCode(of error: MixGRPOError) -> Int32 {
    switch error.code {
    case .cancelled: StopSignals.exitCode
    case .invalidArgument, .invalidFormat, .invalidState, .unsupported: 2
    default: 1
    }
  }

  private static func fail(_ message: String, code: Int32) -> Never {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    fputs("error: \(line)\n", stderr)
    finish(code)
  }

  private static func finish(_ code: Int32) -> Never {
    fflush(nil)
    Glibc.exit(code)
  }
}

/// Prints to standard output. A reader that has gone, as of `| head`, is no error.
func show(_ text: String) {
  fputs(text.hasSuffix("\n") ? text : text + "\n", stdout)
}
