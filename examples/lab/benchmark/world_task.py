"""The task of `mixgrpo compare` for any trainer: the shipped model, its prompts, two trained rewards and two held out.

All trainers get the same prompts in the same order and are judged by the same functions (examples/python/world.py), on the same
30 prompts that are never trained on, from the same noise, by one evaluator in float32.
"""

import functools
import math
import sys
from pathlib import Path

import mixgrpo
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples/python"))

import world  # noqa: E402

TRAINED = ("night taste", "prompt match")
HELD_OUT = ("read back", "clean sky")
STEPS, SHIFT, GROUP, MINIBATCHES = 25, 3.0, 12, 4
TEXT = dict(text_length=16, text_width=64, pooled_width=64)
# The true log-ratio, in nats, at which the paper's clip takes effect; see Arm.clipNats of the comparison.
CLIP_NATS = 12.96
EVALUATION = mixgrpo.SampleConfig(steps=12, samples_per_prompt=2, seed=2024)
CORNER, SKY_SHARPNESS = 7, 100.0


class WorldTask:
    """One thread in all."""

    folder = ROOT / "examples/base"

    def __init__(self):
        self.context = mixgrpo.Context(1)
        self.codec = mixgrpo.PixelCodec(world.SIZE, world.SIZE, patch=4)
        self.captions = [world.caption(prompt) for prompt in range(world.PROMPTS)]
        self.prompts = mixgrpo.Prompts.hashed_words(self.captions, context=self.context, **TEXT)
        held_out = [sum(world.parts(prompt)) % 3 == 0 for prompt in range(world.PROMPTS)]
        self.evaluated = np.flatnonzero(held_out)
        self.trained = np.flatnonzero(np.logical_not(held_out))
        self.judged = mixgrpo.Model.load(self.folder, context=self.context)
        self.judge = self.evaluator(self.judged)

    def evaluator(self, model: mixgrpo.Model, precision: str = "float32") -> mixgrpo.Evaluator:
        side = world.SIZE // self.codec.patch
        return mixgrpo.Evaluator(
            model,
            height_tokens=side,
            width_tokens=side,
            text_length=TEXT["text_length"],
            max_batch=GROUP,
            precision=precision,
        )

    @property
    def clip_range(self) -> float:
        return CLIP_NATS / self.judge.latent_size

    def prompt(self, iteration: int, seed: int) -> int:
        """All prompts of the training take turns, in an order that the seed shuffles for each turn."""
        turn, place = divmod(iteration, len(self.trained))
        return int(np.random.default_rng((seed, turn)).permutation(self.trained)[place])

    def rewards(self, samples: np.ndarray, prompt: int) -> np.ndarray:
        """The trained rewards of (G, N, C), (2, G)."""
        images = self.codec.decode(samples)
        return np.array([[JUDGES[name](image, prompt) for image in images] for name in TRAINED])

    def draw(self, weights: np.ndarray) -> np.ndarray:
        """The images of the fixed evaluation, (images, 32, 32, 3), for the flat vector of all weights."""
        self.judged.weights.write(weights)
        samples = self.judge.sample(self.prompts, self.evaluated, EVALUATION)
        return self.codec.decode(samples.reshape(-1, *samples.shape[2:]))

    def score(self, images: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
        """The mean over the images of each of the rewards."""
        prompts = np.repeat(self.evaluated, EVALUATION.samples_per_prompt)
        return {
            name: float(
                np.mean([JUDGES[name](image, int(prompt)) for image, prompt in zip(images, prompts, strict=True)])
            )
            for name in names
        }


def clean_sky(image: np.ndarray) -> float:
    """exp(-100 variance) of the corners, which no object reaches, scaled to [-1, 1]; 1 for every clean picture."""
    ends = [*range(CORNER), *range(world.SIZE - CORNER, world.SIZE)]
    corners = image[np.ix_(ends, ends)].reshape(-1, 3).astype(np.int64)
    count = len(corners)
    spread = int((count * (corners**2).sum(axis=0) - corners.sum(axis=0) ** 2).sum())  # count² · variance, all channels
    return math.exp(-SKY_SHARPNESS * 4 * spread / (3 * count * count * 255 * 255))


def nearest_prompt(image: np.ndarray) -> int:
    """The prompt whose nearest picture differs least from the image; the first of several.

    Candidates come in the order of the error that their sky alone makes, until that exceeds the least error found.
    """
    picture = image.astype(np.int64)
    parts, masks, skies, outside = _skies(picture)
    objects = np.array(list(world.COLOURS.values()))
    least = (np.iinfo(np.int64).max, -1)
    for index in np.argsort(outside, kind="stable"):
        if outside[index] > least[0]:
            break
        shape, place = divmod(int(parts[index]), len(world.PLACES))
        covered = np.flatnonzero(masks[index])
        share = masks[index, covered, None]  # (pixels, 1)
        painted = (skies[index] * (16 - share) + objects[:, None] * share + 8) >> 4  # (6, pixels, 3)
        errors = outside[index] + ((painted - picture.reshape(-1, 3)[covered]) ** 2).sum(axis=(1, 2))
        found = [
            (int(error), (colour * len(world.SHAPES) + shape) * len(world.PLACES) + place)
            for colour, error in enumerate(errors)
        ]
        least = min(least, *found)
    return least[1]


@functools.cache
def _candidates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every picture without colour: shape and place (n), coverage (n, pixels), and which pixels it leaves free."""
    parts = np.arange(len(world.SHAPES) * len(world.PLACES))
    masks = [world.candidate_masks(*divmod(int(part), len(world.PLACES))) for part in parts]
    flat = np.concatenate(masks).reshape(sum(map(len, masks)), -1)
    return np.repeat(parts, [len(each) for each in masks]), flat, (flat == 0).astype(np.float64)


def _skies(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shape and place, coverage, best sky (n, 3), and the error of the free pixels, (n)."""
    parts, masks, free = _candidates()
    skies = world.sky_colour(world.nearest_sky(picture, masks))
    pixels = picture.reshape(-1, 3).astype(np.float64)  # sums of whole numbers are exact
    count, total, square = free.sum(axis=1), free @ pixels, free @ pixels**2
    outside = (square - 2 * skies * total + skies**2 * count[:, None]).sum(axis=1)
    return parts, masks, skies, outside.astype(np.int64)


JUDGES = {
    "night taste": lambda image, prompt: world.night_taste(image),
    "prompt match": world.prompt_match,
    "read back": lambda image, prompt: nearest_prompt(image) == prompt,
    "clean sky": lambda image, prompt: clean_sky(image),
}
