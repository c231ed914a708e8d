"""The whole pipeline in one program. The C, C++, Python, Rust and Swift versions print the same lines, to the last bit.

python conformance.py MODEL FOLDER: the base model's folder, and a folder for the checkpoint. Numbers are printed as
their bits in hexadecimal, arrays as the 64-bit FNV-1a hash of their bytes.
"""

import struct
import sys

import mixgrpo
import numpy as np

D, GROUP, PROMPTS = 8, 4, [3, 1]
LINES = ["a red circle at the left", "a blue square in the middle"]
CODEC = mixgrpo.PixelCodec(32, 32, patch=4)


def hash_of(data):
    state = 0xCBF29CE484222325
    for byte in bytes(data):
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def bits(value):
    return struct.pack(">d", value).hex()


def plans():
    """Windows, work and every coefficient of the published methods."""
    for name in mixgrpo.preset_names():
        plan = mixgrpo.Plan(mixgrpo.preset(name)[0])
        for iteration in (0, 40):
            work, coefficients = plan.iteration(iteration, prompt_count=2, minibatches=1), b""
            for step in plan.steps(iteration):
                values = (step.sigma, step.next_sigma, step.latent, step.velocity, *step.history, step.noise)
                coefficients += struct.pack("<7d", *values)
            print(
                f"plan {name} {iteration}: window {work.window_start}+{work.window_length}, {work.step_count} steps, "
                f"{work.trained_step_count} trained, {work.rollout_model_calls} calls, {hash_of(coefficients)}"
            )


class Model:
    """The host's own model, with one weight: velocity = weight * h - prompt / 8 with h = latent / 2 + sigma."""

    def __init__(self):
        self.weight = np.float32(0.75)

    def answer(self, request):
        h = np.float32(0.5) * request.latents + request.sigmas[:, None]
        return h, self.weight * h - np.float32(0.125) * request.prompt_index[:, None].astype(np.float32)


def rollout_and_update_by_hand(context):
    model = Model()
    sampling = mixgrpo.SamplingConfig(steps=6, window_length=2, group_size=GROUP, seed=11)
    learning = mixgrpo.LearningConfig(updates_per_iteration=2, clip_range=0.05)
    rollout = mixgrpo.Rollout(mixgrpo.Plan(sampling), PROMPTS, latent_size=D, iteration=30, context=context)
    for request in rollout:
        rollout.submit(model.answer(request)[1])
    samples = rollout.samples()
    print(f"samples {hash_of(samples.tobytes())}")

    rewards = np.zeros(len(PROMPTS) * GROUP)
    for place, value in enumerate(samples.reshape(-1)):
        rewards[place // D] += float(value)
    advantages = mixgrpo.advantages(rewards.reshape(1, len(PROMPTS), GROUP), config=learning)
    print(f"advantages {hash_of(advantages.values.tobytes())}")
    update = mixgrpo.Update(rollout, advantages, learning)
    gradient = 0.0
    for request in update:
        if request.is_optimizer_step:
            model.weight, gradient = np.float32(float(model.weight) - 0.5 * gradient), 0.0
            print(f"weight {bits(model.weight)}")
            continue
        h, velocity = model.answer(request)
        d_velocity = update.submit(velocity)
        for slope, value in zip(d_velocity.reshape(-1), h.reshape(-1), strict=True):
            gradient += float(slope) * float(value)
        print(f"d_velocity {hash_of(d_velocity.tobytes())}")
    seen = update.statistics()
    print(f"loss {bits(seen.loss)}, ratios {bits(seen.first_ratio_min)} {bits(seen.ratio_max)}")


def begin(context, base):
    model = mixgrpo.Model.load(base, context=context)
    prompts = mixgrpo.Prompts.hashed_words(LINES, text_length=16, text_width=64, pooled_width=64, context=context)
    evaluator = mixgrpo.Evaluator(model, height_tokens=8, width_tokens=8, text_length=16)
    settings = dict(steps=6, window_length=2, group_size=GROUP, seed=5)
    sampling, learning = mixgrpo.preset("mixgrpo_flash")
    sampling = mixgrpo.SamplingConfig(**{**vars(sampling), **settings})
    learning = mixgrpo.LearningConfig(**{**vars(learning), "updates_per_iteration": 2, "learning_rate": 1e-4})
    return mixgrpo.Trainer(evaluator, prompts, sampling, learning, rewards=["darkness"])


def decoded(samples):
    return CODEC.decode(samples.reshape(-1, *samples.shape[2:]))


def score(images):
    return np.array([[1 - int(image.astype(np.int64).sum()) / (255.0 * image.size) for image in images]])


def report(what, metrics):
    figures = f"reward {bits(metrics.reward_mean)}, loss {bits(metrics.loss)}, gradient {bits(metrics.gradient_norm)}"
    print(f"{what} {metrics.iteration}: {figures}")


def iterate(trainer, what):
    images = decoded(trainer.rollout([0, 1]))
    report(what, trainer.update(score(images).reshape(1, 2, GROUP)))
    print(f"{what} weights {weights_hash(trainer)}")
    return images


def weights_hash(trainer):
    return hash_of(trainer.evaluator.model.weights.read().tobytes())


def iterate_with_tickets(trainer):
    parts = []
    for prompt in (1, 0):
        part = trainer.rollout_ticket([prompt])
        print(f"ticket {part.ticket} {hash_of(part.samples.tobytes())}")
        parts.append(part)
    for part in reversed(parts):
        trainer.submit_rewards(part, score(decoded(part.samples)))
    report("tickets", trainer.update_tickets())


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: conformance.py MODEL FOLDER")
    base, folder = sys.argv[1:]
    context = mixgrpo.Context(2)
    plans()
    rollout_and_update_by_hand(context)
    first = begin(context, base)
    iterate_with_tickets(first)
    first.save(folder)
    iterate(first, "trained")
    second = begin(context, base)
    second.restore(folder)
    images = iterate(second, "resumed")
    grid = mixgrpo.Image.grid(images, columns=GROUP, gap=2, scale=1)
    grid.set_texts({"prompt": LINES[0]})
    png = grid.encode()
    print(f"png {len(png)} bytes {hash_of(png)}")


if __name__ == "__main__":
    main()
