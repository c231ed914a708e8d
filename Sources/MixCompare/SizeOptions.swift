import ArgumentParser
import ProceduralWorld

/// Command-line options for the size of a comparison.
struct SizeOptions: ParsableArguments {
  private static let standard = ComparisonSize()

  @Option(help: "Iterations of one run.") var iterations = standard.iterations
  @Option(help: "Runs of each method.") var seeds = standard.seeds
  @Option(help: "Prompts per iteration, each with a group of pictures.") var prompts = standard.prompts
  @Option(help: "Pictures per prompt in training.") var groupSize = standard.groupSize
  @Option(help: "Steps from noise to picture in training.") var steps = standard.steps
  @Option(help: "Evaluations of one run.") var evaluations = standard.evaluations
  @Option(help: "Steps from noise to picture in an evaluation.") var evaluationSteps = standard.evaluationSteps
  @Option(help: "Pictures per prompt in an evaluation.") var evaluationPictures = standard.evaluationPictures

  var size: ComparisonSize {
    var size = ComparisonSize()
    size.iterations = iterations
    size.seeds = seeds
    size.prompts = prompts
    size.groupSize = groupSize
    size.steps = steps
    size.evaluations = evaluations
    size.evaluationSteps = evaluationSteps
    size.evaluationPictures = evaluationPictures
    return size
  }

  func validate() throws {
    do { try size.validate() } catch { throw ValidationError(error.message) }
  }
}
