"""How well the text in a picture can be read, and whether it is the text that the prompt asks for."""

import re
import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from .._arguments import function
from .._arrays import ByteArray, DoubleArray
from .._pictures import pictures_of
from ..errors import InvalidArgumentError

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»')


def quoted_text(prompt: str) -> str:
    """What stands in a prompt's double quotes, “ ” and « » included; several pieces joined by spaces. Raises
    `InvalidArgumentError` for a prompt without them."""
    pieces = ["".join(groups) for groups in _QUOTED.findall(prompt)]
    if not pieces:
        raise InvalidArgumentError(
            f"prompts: expected the text to be drawn in double quotes, got {prompt[:200]!r}; or pass text=, a function that "
            "knows it"
        )
    return " ".join(pieces)


class OCRScore:
    """How much of the wanted text a reader of texts finds in the picture, by RapidOCR, whose models come with its package:
    1 − min(d, n) / n, where n is the number of letters that are wanted and d the edit distance to what was read; d = 0 if
    the text stands anywhere in what was read. 0…1. Case and white space do not count. (Flow-GRPO, arXiv 2505.05470.)

        legible = mixgrpo.rewards.OCRScore()  # for prompts such as: a sign that says "Open"

    `text`: prompt → the text to be drawn; by default what stands in double quotes.
    `engine`: what reads, by default `rapidocr.RapidOCR()` for Chinese and English; another `RapidOCR`, with settings of
    yours, or a function of one picture, uint8 (height, width, 3), that gives the pieces of text in it.
    """

    def __init__(self, *, text: Callable[[str], str] = quoted_text, engine: Any = None) -> None:
        self._wanted = function(text, "text", "a prompt")
        self._read = _reader(engine)
        self._turns = threading.Lock()

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Scores B images, uint8 (B, height, width, 3), of B prompts: (B)."""
        images = pictures_of(images, prompts)
        wanted = {prompt: _letters(self._wanted(prompt)) for prompt in dict.fromkeys(prompts)}
        for prompt, letters in wanted.items():
            if not letters:
                raise InvalidArgumentError(f"text: expected a text to be drawn, got none for {prompt[:200]!r}")
        with self._turns:
            found = [_letters("".join(self._read(image))) for image in images]
        return np.array([similarity(wanted[prompt], read) for prompt, read in zip(prompts, found, strict=True)])


def similarity(wanted: str, found: str) -> float:
    """1 for a text that was found, down to 0 with each letter that must be added, left out or exchanged."""
    if wanted in found:
        return 1.0
    return 1 - min(_edit_distance(wanted, found), len(wanted)) / len(wanted)


def _edit_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))  # distances of the letters of `first` so far to each beginning of `second`
    for number, letter in enumerate(first, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(second, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (letter != other))
    return row[-1]


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()


def _reader(engine: Any) -> Callable[[ByteArray], Sequence[str]]:
    """A function of one picture that gives the pieces of text in it."""
    if engine is None:
        engine = _rapid_ocr()
    if type(engine).__module__.partition(".")[0] != "rapidocr":
        return function(engine, "engine", "a picture")  # type: ignore[no-any-return]

    def read(image: ByteArray) -> Sequence[str]:
        return engine(np.ascontiguousarray(image[:, :, ::-1])).txts or ()  # it takes blue, green, red

    return read


def _rapid_ocr() -> Any:
    missing = [name for name in ("rapidocr", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ImportError(f"OCRScore needs {' and '.join(missing)}: pip install mixgrpo[rewards]")
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})
