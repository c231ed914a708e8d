"""Whether a picture shows the objects that its prompt names, as many of them, in the right colour."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .._arguments import path, short, whole
from ..errors import InputOutputError, InvalidArgumentError, InvalidFormatError, UnsupportedError

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
"""Those that GenEval knows."""


@dataclass(frozen=True)
class Wanted:
    """Objects that a prompt names.

    `name`: the detector's name of the class. `count`: how many, 1 or more. `color`: None, or one of `COLORS`; only objects
    of this colour are counted. `at_least`: more of them are no fault.
    """

    name: str
    count: int = 1
    color: str | None = None
    at_least: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidArgumentError(f"name: expected the name of a class, got {short(self.name)}")
        whole(self.count, "count", 1)
        if self.color is not None and self.color not in COLORS:
            raise InvalidArgumentError(f"color: expected one of {', '.join(COLORS)}, got {short(self.color)}")

    def score(self, found: int) -> float:
        """1 for the right number, and less with each object too many or too few, down to 0."""
        if self.at_least:
            return min(1.0, found / self.count)
        return max(0.0, 1 - abs(found - self.count) / self.count)


def read_geneval(file: Any) -> dict[str, list[Wanted]]:
    """What the prompts of GenEval want (Ghosh et al. 2023, arXiv 2310.11513), from its evaluation_metadata.jsonl: prompt →
    objects, with count and colour. A class under "exclude" with one more than under "include" makes the count exact.
    Raises `InputOutputError`, `InvalidFormatError`; `UnsupportedError` for a prompt about positions: leave these out."""
    place = path(file, "file")
    try:
        lines = [line for line in place.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputOutputError(f"{place}: expected a readable file: {error}") from None
    return dict(_geneval_line(line, f"{place}:{number}") for number, line in enumerate(lines, 1))


def _geneval_line(line: str, place: str) -> tuple[str, list[Wanted]]:
    try:
        content = json.loads(line)
        limits = {item["class"]: item["count"] for item in content.get("exclude", [])}
        prompt, items = content["prompt"], content["include"]
        if any("position" in item for item in items):
            raise UnsupportedError(f"{place}: expected counts and colours, got a position in {prompt!r}")
        wanted = [
            Wanted(item["class"], item["count"], item.get("color"), limits.get(item["class"]) != item["count"] + 1)
            for item in items
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidFormatError(f"{place}: expected an entry of GenEval's metadata: {error}") from None
    return prompt, wanted


def check_wanted(wanted: Mapping[str, Sequence[Wanted]], classes: Sequence[str], has_colors: bool) -> None:
    """Raises `InvalidArgumentError` for objects that cannot be looked for."""
    if not isinstance(wanted, Mapping) or not wanted:
        raise InvalidArgumentError(f"wanted: expected prompt → objects, got {short(wanted)}")
    for prompt, items in wanted.items():
        if isinstance(items, Wanted) or not items or not all(isinstance(item, Wanted) for item in items):
            raise InvalidArgumentError(f"wanted[{prompt!r}]: expected a list of Wanted, got {short(items)}")
        for item in items:
            if item.name not in classes:
                near = get_close_matches(item.name, classes, 3) or classes[:3]
                raise InvalidArgumentError(
                    f"wanted[{prompt!r}]: expected one of the detector's {len(classes)} classes, such as "
                    f"{', '.join(near)}, got {item.name!r}"
                )
            if item.color is not None and not has_colors:
                raise InvalidArgumentError(f"clip: expected a folder, as wanted[{prompt!r}] has a colour, got None")
