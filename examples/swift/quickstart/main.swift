import MixGRPO

let lines = ["a red circle at the left", "a blue square in the middle"]
let context = try RunContext(threads: 2)
let model = try FlowTransformer(folder: "examples/base")
let prompts = try HashedWordEncoder(textLength: 16, textWidth: 64, pooledWidth: 64).embeddings(of: lines)
let evaluator = try FlowEvaluator(
  model: model, geometry: TokenGeometry(height: 8, width: 8), textLength: 16, maxBatch: 12, threads: context.threads)
var sampling = SamplingConfiguration()
sampling.schedule = .shifted(steps: 12, shift: 3)
var learning = LearningConfiguration()
learning.optimizer.learningRate = 2e-5
let trainer = try Trainer(
  evaluator: evaluator, prompts: prompts, sampling: sampling, learning: learning, rewardNames: ["darkness"],
  context: context)
let codec = try PixelCodec(height: 32, width: 32, patch: 4)

func darkness(_ image: RGBImage) -> Double {
  1 - Double(image.pixels.reduce(0) { $0 + Int($1) }) / Double(255 * image.pixels.count)
}

for iteration in 0..<20 {
  let samples = try trainer.rollout(prompts: [0, 1])
  let images = try codec.decode(samples, count: 24)
  let metrics = try trainer.update(rewards: [images.map(darkness)])
  print("iteration \(iteration): darkness \(metrics.rewardMean)")
}
try model.save(folder: "aligned", precision: .bfloat16)
