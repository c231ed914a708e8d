"""A learned reward that can be hacked, and a second one that notices.

    make pictures
    python examples/lab/pictures/towers.py --pictures out/emoji --model examples/emoji --out out/hack

Trains two small networks to tell which words belong to which picture, as CLIP does: a tower for pictures and one for
words, whose vectors point the same way when the two belong together. The first learns from the names of the emoji, the
second from their keywords, with another seed. Then it aligns the model with the first network as the reward, in a naive
way: how far the picture's vector reaches in the direction of its name. That can grow for ever. The second network, as a
cosine, is held out. When the model finds pictures that only the first one likes, the watchdog stops the run.

Writes towers.json, evaluations.json, hack.svg (the curve of how the watchdog triggers), report.html and best/, the best model.
Needs PyTorch, NumPy, Pillow and Matplotlib; the training of the networks takes about a minute on one core."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import mixgrpo
import numpy
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, WIDTH = 2048, 64
BATCH, TEMPERATURE = 64, 0.1


@dataclass(frozen=True)
class Emoji:
    """All pictures of a set, with the two captions of each."""

    names: list[str]
    keywords: list[str]
    pictures: numpy.ndarray
    """(N, height, width, 3) bytes"""

    @classmethod
    def load(cls, folder: Path) -> "Emoji":
        lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
        pictures = numpy.stack([numpy.asarray(Image.open(folder / line["file_name"]).convert("RGB")) for line in lines])
        return cls([line["text"] for line in lines], [" ".join(line["keywords"]) for line in lines], pictures)


class Towers(nn.Module):
    """A tower for pictures and one for words; both end on the unit sphere."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 24, 48, 96)
        layers: list[nn.Module] = []
        for inward, outward in zip(channels, channels[1:], strict=False):
            layers += [nn.Conv2d(inward, outward, 3, stride=2, padding=1), nn.GroupNorm(8, outward), nn.SiLU()]
        self.picture = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * 4 * 4, WIDTH))
        self.words = nn.EmbeddingBag(VOCABULARY, WIDTH)

    def see(self, pictures: Tensor) -> Tensor:
        """(B, 3, 32, 32) in -1...1 → (B, WIDTH), of any length"""
        vectors: Tensor = self.picture(pictures)
        return vectors

    def read(self, captions: list[str]) -> Tensor:
        """(B, WIDTH)"""
        bags = [[hashed(word) for word in caption.lower().split()] or [0] for caption in captions]
        starts = numpy.cumsum([0, *(len(bag) for bag in bags[:-1])])
        return functional.normalize(self.words(torch.tensor(sum(bags, [])), torch.tensor(starts)), dim=1)

    def naive(self, images: numpy.ndarray, captions: list[str]) -> numpy.ndarray:
        """How far each picture's vector reaches in the direction of its caption. There is no largest value."""
        with torch.no_grad():
            return (self.see(pixels(images)) * self.read(captions)).sum(1).double().numpy()

    def cosine(self, images: numpy.ndarray, captions: list[str]) -> numpy.ndarray:
        """The cosine of each picture and its caption, as in training."""
        with torch.no_grad():
            return (functional.normalize(self.see(pixels(images)), dim=1) * self.read(captions)).sum(1).double().numpy()


def hashed(word: str) -> int:
    """The row of a word: FNV-1a, because Python's own hash differs from run to run."""
    value = 0x811C9DC5
    for byte in word.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value % VOCABULARY


def pixels(images: numpy.ndarray) -> Tensor:
    """(B, 32, 32, 3) bytes → (B, 3, 32, 32) in -1...1"""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def varied(pictures: Tensor) -> Tensor:
    """As a person would still recognise them: moved by up to two pixels, lighter or darker, with noise."""
    x, y = torch.randint(-2, 3, (2,)).tolist()
    moved = functional.pad(pictures, (2, 2, 2, 2), value=1.0)[:, :, 2 + y : 34 + y, 2 + x : 34 + x]
    light = 1 + 0.2 * torch.randn(len(pictures), 1, 1, 1)
    return 1 - (1 - moved) * light + 0.1 * torch.rand(len(pictures), 1, 1, 1) * torch.randn_like(moved)


def trained(pictures: numpy.ndarray, captions: list[str], seed: int, steps: int, varies: bool) -> tuple[Towers, float]:
    """Contrastive learning: in a batch, each picture must find its caption, and each caption its picture. Also returns
    the share of all pictures that find their own among all captions."""
    torch.manual_seed(seed)
    towers = Towers()
    everything = pixels(pictures)
    optimizer = torch.optim.AdamW(towers.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        chosen = torch.randperm(len(everything))[:BATCH]
        shown = varied(everything[chosen]) if varies else everything[chosen]
        seen = functional.normalize(towers.see(shown), dim=1)
        matches = seen @ towers.read([captions[i] for i in chosen]).T / TEMPERATURE
        own = torch.arange(BATCH)
        loss = functional.cross_entropy(matches, own) + functional.cross_entropy(matches.T, own)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        found = (towers.see(everything) @ towers.read(captions).T).argmax(1)
    return towers, (found == torch.arange(len(everything))).double().mean().item()


def align(emoji: Emoji, first: Towers, second: Towers, options: argparse.Namespace) -> list[dict[str, float]]:
    """Trains on the first network until the watchdog stops it. Returns the means of each evaluation."""
    names = emoji.names[:: options.spread]
    codec = mixgrpo.PixelCodec(32, 32, patch=4)
    keywords = dict(zip(emoji.names, emoji.keywords, strict=True))
    evaluator = mixgrpo.Evaluator(mixgrpo.Model.load(options.model), height_tokens=8, width_tokens=8, text_length=8)
    prompts = mixgrpo.Prompts.hashed_words(names, text_length=8, text_width=64, pooled_width=64)
    trainer = mixgrpo.Trainer(
        evaluator,
        prompts,
        mixgrpo.SamplingConfig(steps=10, window_mode="frozen", window_length=2),
        mixgrpo.LearningConfig(learning_rate=options.learning_rate),
        rewards=["names"],
    )
    evaluations: list[dict[str, float]] = []
    evaluation = mixgrpo.TrainingEvaluation(
        every=options.every,
        held_out={"keywords": lambda images, shown: second.cosine(images, [keywords[name] for name in shown])},
        prompts=len(names),
        sampling=mixgrpo.SampleConfig(steps=10, samples_per_prompt=2),
        keep_best=options.out / "best",
        watchdog="stop",
        on_evaluation=lambda result, means: evaluations.append(
            {"iteration": result.iteration, **means, "suspicious": result.worsening}
        ),
    )
    mixgrpo.train(
        trainer,
        {"names": first.naive},
        decode=codec.decode,
        iterations=options.iterations,
        prompts_per_iteration=2,
        evaluation=evaluation,
        report=options.out / "report.html",
        metrics=options.out / "metrics.jsonl",
    )
    return evaluations


def plot(evaluations: list[dict[str, float]], path: Path) -> None:
    """Both scores over the iterations, with a line at each suspicious evaluation."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.hashsalt": "hack", "svg.fonttype": "none", "font.size": 10})
    figure, left = pyplot.subplots(figsize=(7, 3.4))
    iterations = [evaluation["iteration"] for evaluation in evaluations]
    for axes, name, colour, label in (
        (left, "names", "#0072b2", "first network, trained"),
        (left.twinx(), "keywords", "#d55e00", "second network, held out"),
    ):
        axes.plot(iterations, [evaluation[name] for evaluation in evaluations], "o-", color=colour)
        axes.set_ylabel(label, color=colour)
    for evaluation in evaluations:
        if evaluation["suspicious"]:
            left.axvline(evaluation["iteration"], color="#c00", linewidth=1, linestyle=":")
            place = (evaluation["iteration"], 1)
            words = f"suspicious: {evaluation['suspicious']}"
            left.annotate(words, place, xycoords=("data", "axes fraction"),
                          rotation=90, va="top", ha="right", color="#c00", fontsize=8)  # fmt: skip
    left.set_xlabel("iterations")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=Path("out/emoji"), help="what `make pictures` has made")
    parser.add_argument("--model", type=Path, default=Path("examples/emoji"))
    parser.add_argument("--out", type=Path, default=Path("out/hack"))
    parser.add_argument("--iterations", type=int, default=40, help="at most; the watchdog stops earlier")
    parser.add_argument("--every", type=int, default=4, help="iterations between evaluations")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--spread", type=int, default=30, help="trains on every so many names")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    emoji = Emoji.load(options.pictures)
    first, names_found = trained(emoji.pictures, emoji.names, seed=0, steps=100, varies=False)
    second, keywords_found = trained(emoji.pictures, emoji.keywords, seed=1, steps=250, varies=True)
    found = {"names": names_found, "keywords": keywords_found}
    print("pictures that find their caption among all:", found, flush=True)
    (options.out / "towers.json").write_text(json.dumps(found) + "\n")
    evaluations = align(emoji, first, second, options)
    (options.out / "evaluations.json").write_text(json.dumps(evaluations, indent=1) + "\n")
    plot(evaluations, options.out / "hack.svg")


if __name__ == "__main__":
    main()
