import mixgrpo

lines = ["a red circle at the left", "a blue square in the middle"]
model = mixgrpo.Model.load("examples/base")
evaluator = mixgrpo.Evaluator(model, height_tokens=8, width_tokens=8, text_length=16)
prompts = mixgrpo.Prompts.hashed_words(lines, text_length=16, text_width=64, pooled_width=64)
sampling = mixgrpo.SamplingConfig(steps=12)
learning = mixgrpo.LearningConfig(learning_rate=2e-5)
trainer = mixgrpo.Trainer(evaluator, prompts, sampling, learning, rewards=["darkness"])
codec = mixgrpo.PixelCodec(32, 32, patch=4)


def darkness(images, prompts):  # (B, 32, 32, 3) bytes → (B) numbers
    return 1 - images.mean(axis=(1, 2, 3)) / 255


for metrics in mixgrpo.train(trainer, darkness, decode=codec.decode, iterations=20, prompts_per_iteration=2):
    print(f"iteration {metrics.iteration}: darkness {metrics.reward_mean:.3f}")
model.save("aligned")
