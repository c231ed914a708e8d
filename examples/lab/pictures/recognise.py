"""Counts how many of the pictures that a model draws are nearest to the real emoji of their name.

    make pictures
    python examples/lab/pictures/recognise.py --model examples/emoji --pictures out/emoji --sheet out/drawn.png

The real emoji are those that the model was trained on and those that were held out, compared as 16 x 16 squares. It
counts both kinds of names, and says what the held-out ones were taken for. --sheet keeps the pictures: real ones, and
below each what the model draws."""

import argparse
import json
from pathlib import Path

import mixgrpo
import numpy
from PIL import Image

SIZE, COLUMNS = 32, 20


def read(folder: Path) -> tuple[list[str], numpy.ndarray]:
    """Names, and pictures (N, 32, 32, 3)."""
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text("utf-8").splitlines()]
    pictures = [numpy.asarray(Image.open(folder / line["file_name"]).convert("RGB")) for line in lines]
    return [line["text"] for line in lines], numpy.stack(pictures)


def draw(model: Path, names: list[str], samples: int, seed: int) -> numpy.ndarray:
    """(N, samples, 32, 32, 3)"""
    evaluator = mixgrpo.Evaluator(mixgrpo.Model.load(model), height_tokens=8, width_tokens=8, text_length=8)
    prompts = mixgrpo.Prompts.hashed_words(names, text_length=8, text_width=64, pooled_width=64)
    config = mixgrpo.SampleConfig(samples_per_prompt=samples, seed=seed)
    drawn = evaluator.sample(prompts, range(len(names)), config)
    pixels = mixgrpo.PixelCodec(SIZE, SIZE, patch=4).decode(drawn.reshape(-1, *drawn.shape[2:]))
    return pixels.reshape(len(names), samples, SIZE, SIZE, 3)


def nearest(pictures: numpy.ndarray, real: numpy.ndarray) -> numpy.ndarray:
    """The index of the real picture that each one is most like."""
    a, b = (p.reshape(len(p), 16, 2, 16, 2, 3).mean((2, 4)).reshape(len(p), -1) for p in (pictures, real))
    return numpy.array([((b - one) ** 2).sum(1).argmin() for one in a])


def sheet(real: numpy.ndarray, drawn: numpy.ndarray) -> Image.Image:
    """Each real picture above the drawn one, at twice the size."""
    rows = -(-len(real) // COLUMNS)
    page = numpy.full((rows * 2 * SIZE, COLUMNS * SIZE, 3), 255, numpy.uint8)
    for index, pair in enumerate(zip(real, drawn, strict=True)):
        top, left = index // COLUMNS * 2 * SIZE, index % COLUMNS * SIZE
        page[top : top + 2 * SIZE, left : left + SIZE] = numpy.concatenate(pair)
    return Image.fromarray(page).resize((2 * page.shape[1], 2 * page.shape[0]), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("examples/emoji"))
    parser.add_argument("--pictures", type=Path, default=Path("out/emoji"), help="what `make pictures` has made")
    parser.add_argument("--samples", type=int, default=4, help="pictures of each name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sheet", type=Path, help="PNG for the first picture of each name")
    options = parser.parse_args()
    trained, pictures = read(options.pictures)
    held_out, others = read(options.pictures / "held-out")
    names, real = trained + held_out, numpy.concatenate([pictures, others])
    drawn = draw(options.model, names, options.samples, options.seed)
    found = nearest(drawn.reshape(-1, SIZE, SIZE, 3), real).reshape(len(names), options.samples)
    right = found == numpy.arange(len(names))[:, None]
    print(
        f"trained on: {right[: len(trained)].mean():.3f} of {right[: len(trained)].size} pictures are nearest to their emoji"
    )
    print(f"held out: {right[len(trained) :].mean():.3f} of {right[len(trained) :].size}")
    for index in range(len(trained), len(names)):
        print(f"  {names[index]}: {', '.join(names[other] for other in found[index])}")
    if options.sheet:
        sheet(real, drawn[:, 0]).save(options.sheet)


if __name__ == "__main__":
    main()
