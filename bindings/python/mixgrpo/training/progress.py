"""How far a training is, on standard error."""

import contextlib
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from .._numbers import clock, digits
from ..context import Context
from ..enums import Stage
from ..results import Progress

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_DRAWS = 0.2
_WIDEST_BAR = 30
_STAGES = {Stage.ROLLOUT: "sampling", Stage.UPDATE: "training", Stage.SAMPLE: "evaluating"}


class ProgressDisplay:
    """One line that is drawn again on a terminal; elsewhere a line for the first and last iteration, and for others
    when some seconds have passed."""

    def __init__(self, wanted: bool, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._wanted = wanted and self._stream is not None
        self._is_terminal = self._wanted and _is_terminal(self._stream) and os.environ.get("TERM") != "dumb"
        self._shown = 0  # characters of the line on the terminal
        self._first = self._done = self._total = 0
        self._reward: float | None = None
        self._evaluated = ""  # the latest figure of evaluations
        self._within = ""  # how far the current iteration is
        self._start = self._latest_line = self._latest_draw = time.monotonic()

    def start(self, done: int, total: int) -> None:
        """Shows the beginning. `done`: iterations that a checkpoint holds."""
        self._first, self._done, self._total = done, done, total
        self._start = time.monotonic()
        if done > 0:
            self._write_line(f"resumed after iteration {done} of {total}")
        self.draw()

    def advance(self, reward: float) -> None:
        """Shows one more iteration."""
        self._done, self._reward, self._within = self._done + 1, reward, ""
        if self._is_terminal:
            self.draw()
        elif self._is_line_due():
            self._latest_line = time.monotonic()
            self._write_line(self._text())

    def evaluated(self, figure: float, change: float | None) -> None:
        """Shows the figure of the latest evaluation and its change since the first, from now on."""
        if not math.isnan(figure):
            self._evaluated = f"evaluated {digits(figure)}" + ("" if change is None else f" ({change:+.3f})")

    def say(self, line: str) -> None:
        """Leaves a line behind. Call within `aside`."""
        self._write_line(line)

    def within(self, progress: Progress) -> None:
        """Shows how far a call of the library is, some times a second."""
        self._within = f"{_STAGES[progress.stage]} {100 * progress.done // max(1, progress.total)}%"
        if self._is_terminal and time.monotonic() - self._latest_draw >= _SECONDS_BETWEEN_DRAWS:
            self.draw()

    @contextlib.contextmanager
    def watching(self, trainer: object) -> Iterator[None]:
        """Follows the calls of a trainer, unless its context reports to somebody else."""
        context = getattr(trainer, "context", None)
        if not self._is_terminal or not isinstance(context, Context) or context.progress is not None:
            yield
            return
        context.progress = follow = self.within
        try:
            yield
        finally:
            if context.progress == follow:
                context.progress = None

    def draw(self) -> None:
        """Draws the line of a terminal."""
        if not self._is_terminal:
            return
        self._latest_draw = time.monotonic()
        columns = shutil.get_terminal_size().columns
        text = self._text()
        width = min(_WIDEST_BAR, columns - len(text) - 5)
        line = (f"{self._bar(width)}  {text}" if width >= 5 else text)[: max(1, columns - 1)]
        self._write(f"\r{line}{' ' * (self._shown - len(line))}\r{line}")
        self._shown = len(line)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the line away while others may print."""
        self._clear()
        try:
            yield
        finally:
            self.draw()

    def finish(self) -> None:
        """Leaves the last state on a line of its own."""
        if self._within:
            self._within = ""
            self.draw()
        if self._shown:
            self._write("\n")
            self._shown = 0

    def _clear(self) -> None:
        if self._shown:
            self._write(f"\r{' ' * self._shown}\r")
            self._shown = 0

    def _text(self) -> str:
        parts = [f"{self._done}/{self._total}"]
        if self._reward is not None:
            parts.append(f"reward {digits(self._reward)}")
        if self._evaluated:
            parts.append(self._evaluated)
        new, passed = self._done - self._first, time.monotonic() - self._start
        if new > 0:
            left = self._total - self._done
            parts.append(f"{clock(passed / new * left)} left" if left > 0 else f"{clock(passed)} in all")
        if self._within:
            parts.append(self._within)
        return "  ".join(parts)

    def _bar(self, width: int) -> str:
        full, empty = ("█", "░") if _can_show(self._stream, "█░") else ("#", "-")
        count = width * self._done // max(1, self._total)
        return full * count + empty * (width - count)

    def _is_line_due(self) -> bool:
        is_end = self._done == self._first + 1 or self._done == self._total
        return is_end or time.monotonic() - self._latest_line >= _SECONDS_BETWEEN_LINES

    def _write_line(self, text: str) -> None:
        self._clear()
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        if not self._wanted:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a closed terminal ends no training
            self._wanted = self._is_terminal = False


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):  # a stream of the host's own, or a closed one
        return False


def _can_show(stream: Any, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
