"""Aligns a flow model with a reward of this program's own: pictures taken at night.

The model draws groups of pictures of a small procedural world (world.py), this program scores them with NumPy, and the
library updates the model with MixGRPO. The captions never mention the sky, so a model can earn the reward and still
follow its prompts. How well it follows them is measured too, but never trained. The same program in C, C++, Rust and
Swift gives the same numbers to the last bit.

    pip install ./bindings/python
    python examples/python/align.py --model examples/base --out out

Writes to the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the
model, aligned/. Ctrl-C ends the training early and keeps the result.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import mixgrpo
import numpy as np
import world

STEPS = 16  # from noise to picture
PROMPTS = 4  # per iteration
EVALUATED = 2  # the fixed evaluation set: pictures of every prompt
EVALUATION_SEED = 2024

codec = mixgrpo.PixelCodec(world.SIZE, world.SIZE, patch=4)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="examples/base", help="folder of the base model")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument("--iterations", type=int, default=24, help="rollouts and updates")
    parser.add_argument("--eval-steps", type=int, default=STEPS, help="steps from noise to picture in the evaluation")
    parser.add_argument("--learning-rate", type=float, default=2e-5, help="rate of AdamW")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training's noise")
    parser.add_argument("--threads", type=int, default=0, help="worker threads; 0 for one per core")
    return parser.parse_args()


def create_trainer(chosen: argparse.Namespace) -> mixgrpo.Trainer:
    context = mixgrpo.Context(chosen.threads)
    model = mixgrpo.Model.load(chosen.model, context=context)
    captions = [world.caption(prompt) for prompt in range(world.PROMPTS)]
    prompts = mixgrpo.Prompts.hashed_words(captions, text_length=16, text_width=64, pooled_width=64, context=context)
    side = world.SIZE // codec.patch
    evaluator = mixgrpo.Evaluator(model, height_tokens=side, width_tokens=side, text_length=16)
    sampling = mixgrpo.SamplingConfig(
        steps=STEPS,
        group_size=12,
        window_mode=mixgrpo.WindowMode.FROZEN,
        initial_noise=mixgrpo.InitialNoise.OWN,  # the noise decides the sky, so the rewards of a group differ more
        seed=chosen.seed,
    )
    learning = mixgrpo.LearningConfig(learning_rate=chosen.learning_rate)
    return mixgrpo.Trainer(evaluator, prompts, sampling, learning, rewards=["night_taste"])


def night_taste(images: np.ndarray, _: Sequence[str]) -> list[float]:
    return [world.night_taste(image) for image in images]


def prompts_in_turn(iteration: int) -> list[int]:
    """All prompts take turns in a shuffled order: 37 and 90 have no common factor."""
    return [(iteration * PROMPTS + place) * 37 % world.PROMPTS for place in range(PROMPTS)]


def evaluate(trainer: mixgrpo.Trainer, steps: int, grid: Path) -> tuple[float, float]:
    """Draws the evaluation set deterministically, always from the same noise, and saves a grid of some of it.

    Gives the means of the trained reward and of the one held out.
    """
    config = mixgrpo.SampleConfig(steps=steps, samples_per_prompt=EVALUATED, seed=EVALUATION_SEED)
    images = codec.decode(trainer.sample(range(world.PROMPTS), config))  # (prompts, EVALUATED, 32, 32, 3)
    taste = mean([world.night_taste(image) for group in images for image in group])
    match = mean([world.prompt_match(image, prompt) for prompt, group in enumerate(images) for image in group])
    save_grid(images, {"night taste": f"{taste:.17g}", "prompt match": f"{match:.17g}"}, grid)
    return taste, match


def mean(values: list[float]) -> float:
    total = 0.0  # added one by one as in C; sum() rounds differently
    for value in values:
        total += value
    return total / len(values)


def save_grid(images: np.ndarray, texts: dict[str, str], path: Path) -> None:
    """One row per colour: two pictures of every place, with alternating shapes."""
    colours, places = range(len(world.COLOURS)), range(len(world.PLACES))
    shown = [(colour * 3 + (colour + place) % 3) * 5 + place for colour in colours for place in places]
    columns = len(places) * EVALUATED
    mixgrpo.Image.grid(np.concatenate(images[shown]), columns=columns, gap=4, scale=3, texts=texts).save(path)


def train(trainer: mixgrpo.Trainer, iterations: int, log: Path) -> int:
    """Returns the number of model calls."""
    log.unlink(missing_ok=True)  # left by an earlier run; lines are appended
    start = time.monotonic()
    model_calls = 0

    def show(metrics: mixgrpo.Metrics) -> None:
        nonlocal model_calls
        model_calls += metrics.model_calls_rollout + metrics.model_calls_update
        trainer.append_metrics(log)
        done = metrics.iteration + 1
        left = int((time.monotonic() - start) / done * (iterations - done))
        clock = f"{left // 60}:{left % 60:02d}"
        print(f"{done:3d}/{iterations}  night taste {metrics.reward_mean:.3f}  {clock} left", flush=True)

    try:
        mixgrpo.train(
            trainer,
            night_taste,
            decode=codec.decode,
            iterations=iterations,
            choose=prompts_in_turn,
            evaluation=None,  # this program evaluates all prompts itself
            on_iteration=show,
            progress=False,
        )
    except KeyboardInterrupt:
        pass
    return model_calls


def main() -> None:
    start = time.monotonic()
    chosen = options()
    trainer = create_trainer(chosen)
    chosen.out.mkdir(exist_ok=True)
    before = evaluate(trainer, chosen.eval_steps, chosen.out / "before.png")
    print(f"before: night taste {before[0]:.3f}, prompt match {before[1]:.3f}", flush=True)
    model_calls = train(trainer, chosen.iterations, chosen.out / "metrics.jsonl")
    after = evaluate(trainer, chosen.eval_steps, chosen.out / "after.png")
    trainer.save_model(chosen.out / "aligned", storage=mixgrpo.Storage.BF16)
    summarize(before, after, model_calls, time.monotonic() - start, chosen.out / "summary.json")


def summarize(
    before: tuple[float, float], after: tuple[float, float], model_calls: int, seconds: float, path: Path
) -> None:
    path.write_text(
        f'{{"reward_before": {before[0]:.17g}, "reward_after": {after[0]:.17g}, "heldout_before": {before[1]:.17g}, '
        f'"heldout_after": {after[1]:.17g}, "model_calls": {model_calls}, "seconds": {seconds:.1f}}}\n'
    )
    print(f"\n{'':24}{'before':>8}{'after':>8}{'change':>8}")
    for name, first, last in zip(("night taste (trained)", "prompt match (held out)"), before, after, strict=True):
        print(f"{name:24}{first:8.3f}{last:8.3f}{last - first:+8.3f}")
    print(f"{model_calls} model calls in training, {seconds:.0f} seconds in all")


if __name__ == "__main__":
    main()
