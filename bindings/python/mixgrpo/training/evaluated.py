"""What a person sees of the evaluations of a training: figures that are comparable, because the prompts and the noise are
the same each time."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from .._folders import replace_file
from .._numbers import digits
from ..results import EvaluationResult
from .progress import ProgressDisplay

_FILE = "means.json"


class EvaluatedFigures:
    """The means of the first and the latest evaluation, on the display: their weighted mean over the trained rewards, or
    over the held-out ones where no trained reward is scored, and what has changed since the first.

    `trained`, `held_out`: names of the rewards that are scored. `weights`: of the trained ones, 1 each by default.
    """

    def __init__(
        self,
        trained: Sequence[str],
        held_out: Sequence[str],
        weights: Mapping[str, float] | None,
        display: ProgressDisplay,
    ) -> None:
        self._held_out, self._display = set(held_out), display
        self._weights = {name: 1.0 if weights is None else weights[name] for name in trained} or dict.fromkeys(
            held_out, 1.0
        )
        self._first: dict[str, float] = {}
        self._latest: dict[str, float] = {}

    def add(self, result: EvaluationResult, means: Mapping[str, float]) -> None:
        """Shows an evaluation."""
        is_first = not self._first
        self._first = self._first or dict(means)
        parts = [self._part(name, mean, is_first) for name, mean in means.items() if not math.isnan(mean)]
        best = ", best so far" if result.is_best and not is_first else ""
        if parts:
            self._display.say(f"evaluation at iteration {result.iteration}: {', '.join(parts)}{best}")
        self._latest = dict(means)
        figure = self._figure(means)
        self._display.evaluated(figure, None if is_first else figure - self._figure(self._first))

    def save(self, folder: Path) -> None:
        """Keeps the means in the folder of the latest evaluation."""
        replace_file(folder / _FILE, json.dumps({"first": self._first, "latest": self._latest}).encode())

    def load(self, folder: Path) -> None:
        """Goes on from a folder. Without readable means the next evaluation counts as the first."""
        try:
            content = json.loads((folder / _FILE).read_text())
            first, latest = ({name: float(mean) for name, mean in content[key].items()} for key in ("first", "latest"))
            figures = self._figure(first), self._figure(latest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return
        self._first, self._latest = first, latest
        self._display.evaluated(figures[1], figures[1] - figures[0])

    def _part(self, name: str, mean: float, is_first: bool) -> str:
        change = "" if is_first else f" ({mean - self._first[name]:+.3f})"
        return f"{name}{' [held out]' if name in self._held_out else ''} {digits(mean)}{change}"

    def _figure(self, means: Mapping[str, float]) -> float:
        whole = sum(self._weights.values()) or 1.0
        return sum(weight * means[name] for name, weight in self._weights.items() if weight) / whole
