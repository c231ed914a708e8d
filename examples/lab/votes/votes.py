"""How many votes a taste needs: a script votes like a person with a hidden taste, and one mark in five is wrong.

    make teach

Two tastes, each with a model of its own: something colourful on a dark ground (examples/base) and cool colours
(examples/emoji). Of each group the script marks the quarter that is most to its taste, gives stars, or compares eleven
pairs; one mark, star or answer in five is random or wrong. The model learns with the preset "person". The taste is measured
on fixed prompts and noise, and so is what must not be lost: whether a picture still shows its prompt.

Writes the curves of votes against gain as an SVG, and the figures behind them as JSON lines beside it. Needs NumPy and
Matplotlib; takes four minutes on one core. --kinds stars pairs votes in these ways. --try sampling.window_length=4
prints what other settings give."""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import mixgrpo
import numpy

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "examples/python"))
import world  # noqa: E402

WRONG = 0.2
KINDS = ("favourites", "stars", "pairs")
GROUPS, PROMPTS, PAIRS = 30, 2, 11  # votes, votes in an iteration, comparisons in a vote
EVALUATED = 16  # prompts
SHEET_COLUMNS, SIZE = 16, 32


def colourful_on_dark(images: numpy.ndarray) -> numpy.ndarray:
    """The chroma of the most colourful tenth of the pixels, less the brightness of a frame of four pixels."""
    pixels = images.astype(float) / 255
    chroma = numpy.sort((pixels.max(3) - pixels.min(3)).reshape(len(images), -1))[:, -(SIZE * SIZE // 10) :].mean(1)
    frame = numpy.ones((SIZE, SIZE), bool)
    frame[4:-4, 4:-4] = False
    return chroma - pixels.mean(3)[:, frame].mean(1)


def cool(images: numpy.ndarray) -> numpy.ndarray:
    """Blue less red, of what is not white."""
    pixels = images.astype(float) / 255
    drawn = pixels.min(3) < 0.9
    difference = (pixels[..., 2] - pixels[..., 0]) * drawn
    return difference.sum((1, 2)) / numpy.maximum(1, drawn.sum((1, 2)))


@dataclass(frozen=True)
class Taste:
    """What a person likes, and the model to which they teach it."""

    name: str
    model: Path
    text_length: int
    lines: list[str]
    likes: Callable[[numpy.ndarray], numpy.ndarray]
    shows_prompt: Callable[[numpy.ndarray, int], float]
    """One picture and its prompt → 0…1."""


def on_world() -> Taste:
    lines = [world.caption(prompt) for prompt in range(world.PROMPTS)]
    return Taste("colourful on dark", ROOT / "examples/base", 16, lines, colourful_on_dark, world.prompt_match)


def on_emoji() -> Taste:
    folder = ROOT / "examples/emoji"
    lines = (folder / "prompts.txt").read_text("utf-8").splitlines()
    sheet = mixgrpo.Image.load(folder / "sheet.png").pixels()
    rows = len(sheet) // SIZE
    cut = sheet.reshape(rows, SIZE, SHEET_COLUMNS, SIZE, 3).swapaxes(1, 2).reshape(-1, SIZE, SIZE, 3)
    real = squares(cut[: len(lines)])

    def is_recognised(picture: numpy.ndarray, prompt: int) -> float:
        return float(((real - squares(picture[None])) ** 2).sum(1).argmin() == prompt)

    return Taste("cool colours", folder, 8, lines, cool, is_recognised)


def squares(pictures: numpy.ndarray) -> numpy.ndarray:
    """Seen as 16 x 16 squares, of no colour: a taste may change it."""
    return pictures.reshape(len(pictures), 16, 2, 16, 2, 3).mean((2, 4, 5)).reshape(len(pictures), -1)


class Voter:
    """Votes on groups as `mixgrpo.PersonReward` would receive it."""

    def __init__(self, taste: Taste, kind: str, seed: int) -> None:
        self.taste, self.kind, self.chance = taste, kind, random.Random(seed)

    def score(self, images: numpy.ndarray) -> numpy.ndarray:
        """(G) images → (G) scores."""
        liking = self.taste.likes(images)
        order = numpy.argsort(-liking)
        return getattr(self, "_" + self.kind)(liking, order)

    def _wrong(self) -> bool:
        return self.chance.random() < WRONG

    def _favourites(self, liking: numpy.ndarray, order: numpy.ndarray) -> numpy.ndarray:
        count = max(1, len(liking) // 4)
        chosen = {self.chance.randrange(len(liking)) if self._wrong() else int(index) for index in order[:count]}
        return mixgrpo.scores_from_ratings([float(index in chosen) for index in range(len(liking))])

    def _stars(self, liking: numpy.ndarray, order: numpy.ndarray) -> numpy.ndarray:
        place = len(liking) - 1 - numpy.argsort(order)
        return mixgrpo.scores_from_ratings(
            [self.chance.randrange(5) if self._wrong() else p * 5 // len(liking) for p in place.tolist()]
        )

    def _pairs(self, liking: numpy.ndarray, order: numpy.ndarray) -> numpy.ndarray:
        pairs = []
        while len(pairs) < PAIRS:
            left, right = self.chance.sample(range(len(liking)), 2)
            pairs.append((left, right) if (liking[left] > liking[right]) != self._wrong() else (right, left))
        return mixgrpo.scores_from_pairs(pairs, len(liking))


@dataclass(frozen=True)
class Run:
    """One person who teaches one taste."""

    taste: str
    kind: str
    seed: int
    every: int
    changes: tuple[str, ...] = ()
    """Of the preset, such as sampling.window_length=4."""

    def configurations(self) -> tuple[mixgrpo.SamplingConfig, mixgrpo.LearningConfig]:
        parts = dict(zip(("sampling", "learning"), mixgrpo.preset("person"), strict=True))
        parts["sampling"] = replace(parts["sampling"], seed=self.seed)
        for change in self.changes:
            name, _, value = change.partition("=")
            part, _, field = name.partition(".")
            parts[part] = replace(parts[part], **{field: json.loads(value)})
        return parts["sampling"], parts["learning"]


def taught(run: Run) -> list[dict[str, float]]:
    """The figures before, after every so many votes, and at the end."""
    return list(figures_of(TASTES[run.taste](), run))


def figures_of(taste: Taste, run: Run) -> Iterator[dict[str, float]]:
    context = mixgrpo.Context(threads=1)
    sampling, learning = run.configurations()
    evaluator = mixgrpo.Evaluator(mixgrpo.Model.load(taste.model, context=context), text_length=taste.text_length)
    prompts = mixgrpo.Prompts.hashed_words(
        taste.lines, text_length=taste.text_length, text_width=64, pooled_width=64, context=context
    )
    trainer = mixgrpo.Trainer(evaluator, prompts, sampling, learning)
    codec = mixgrpo.PixelCodec(SIZE, SIZE, patch=4)
    voter = Voter(taste, run.kind, run.seed)
    order = random.Random(run.seed).sample(range(len(taste.lines)), len(taste.lines))
    evaluated = [index * len(taste.lines) // EVALUATED for index in range(EVALUATED)]

    def figures(votes: int) -> dict[str, float]:
        config = mixgrpo.SampleConfig(steps=sampling.steps, samples_per_prompt=2, seed=99)
        samples = evaluator.sample(prompts, evaluated, config)
        images = codec.decode(samples.reshape(-1, *samples.shape[2:]))
        shown = [taste.shows_prompt(image, evaluated[index // 2]) for index, image in enumerate(images)]
        return {"votes": votes, "taste": float(taste.likes(images).mean()), "shown": float(numpy.mean(shown))}

    yield figures(0)
    for votes in range(0, GROUPS, PROMPTS):
        samples = trainer.rollout([order[(votes + place) % len(order)] for place in range(PROMPTS)])
        trainer.update([[voter.score(codec.decode(group)) for group in samples]])
        done = votes + PROMPTS
        if done % run.every == 0 or done == GROUPS:
            yield figures(done)


COLOURS = dict(zip(KINDS, ("#0072b2", "#d55e00", "#009e73"), strict=True))
TASTES = {"colourful on dark": on_world, "cool colours": on_emoji}


def plot(lines: list[dict], path: Path) -> None:
    """Above, how much the person likes the pictures; below, how many still show their prompt. Thin: each seed."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "votes", "svg.fonttype": "none", "font.size": 10})
    figure, panels = pyplot.subplots(2, len(TASTES), figsize=(9, 6), sharex=True, height_ratios=(2, 1))
    for column, taste in enumerate(TASTES):
        for kind in dict.fromkeys(line["kind"] for line in lines):
            runs = [line["figures"] for line in lines if (line["taste"], line["kind"]) == (taste, kind)]
            votes = [point["votes"] for point in runs[0]]
            for panel, name in zip(panels[:, column], ("taste", "shown"), strict=True):
                values = numpy.array([[point[name] for point in run] for run in runs])
                panel.plot(votes, values.T, color=COLOURS[kind], linewidth=0.6, alpha=0.5)
                panel.plot(votes, values.mean(0), color=COLOURS[kind], linewidth=2, label=kind)
        panels[0, column].set_title(f"hidden taste: {taste}")
        panels[1, column].set_ylim(0, 1.02)
        panels[1, column].set_xlabel("votes, a fifth of their marks wrong")
        for panel in panels[:, column]:
            panel.grid(alpha=0.25)
    panels[0, 0].set_ylabel("how much the person likes\nthe same prompts and noise")
    panels[1, 0].set_ylabel("shows its prompt")
    panels[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures/votes.svg")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=10, help="votes between two measurements")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS[:1])
    parser.add_argument("--workers", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument(
        "--try", dest="changes", nargs="+", default=(), help="settings to try, as name=value; draws nothing"
    )
    options = parser.parse_args()
    runs = [
        Run(taste, kind, seed, options.every, tuple(options.changes))
        for taste in TASTES
        for kind in options.kinds
        for seed in range(1, options.seeds + 1)
    ]
    lines = []
    with ProcessPoolExecutor(options.workers) as pool:
        for run, figures in zip(runs, pool.map(taught, runs), strict=True):
            lines.append({"taste": run.taste, "kind": run.kind, "seed": run.seed, "figures": figures})
            curve = " ".join(f"{point['taste']:.3f}" for point in figures)
            print(f"{run.taste}, {run.kind}, seed {run.seed}: {curve}; shown {figures[-1]['shown']:.2f}", flush=True)
    if not options.changes:
        options.out.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        plot(lines, options.out)


if __name__ == "__main__":
    main()
