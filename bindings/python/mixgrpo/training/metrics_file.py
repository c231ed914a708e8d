"""The file to which `train` appends the figures of each iteration."""

import json
import os
from pathlib import Path
from typing import Protocol, runtime_checkable

from .._folders import replace_file, require_place
from ..errors import InputOutputError, InvalidArgumentError, InvalidFormatError


@runtime_checkable
class Reporting(Protocol):
    """What `train` needs of a trainer to write its figures to a file."""

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    def append_metrics(self, path: str | os.PathLike[str], /) -> None:
        """Appends the latest iteration's figures as a line of JSON."""


class MetricsFile:
    """Lines of JSON, one for each iteration."""

    def __init__(self, path: str | os.PathLike[str], trainer: object) -> None:
        if not isinstance(trainer, Reporting):
            raise InvalidArgumentError(f"metrics: expected None, as {type(trainer).__name__} has no append_metrics()")
        self._path, self._trainer = Path(path), trainer

    def resume(self) -> None:
        """Removes the lines of iterations that follow, and an incomplete last line.

        Raises `InvalidFormatError` naming a line that is not one of figures; `InputOutputError`. The file is then unchanged.
        """
        require_place(self._path)
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputOutputError(f"{self._path}: expected a readable file, got {error}") from error
        lines = content.split(b"\n")[:-1]
        kept = b"".join(
            line + b"\n"
            for number, line in enumerate(lines, 1)
            if self._iteration(line, number) < self._trainer.iteration
        )
        if kept != content:
            replace_file(self._path, kept)

    def append(self) -> None:
        """Appends the latest iteration's figures."""
        self._trainer.append_metrics(self._path)

    def _iteration(self, line: bytes, number: int) -> int:
        try:
            return int(json.loads(line)["iteration"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise InvalidFormatError(
                f'{self._path}, line {number}: expected an object with an integer "iteration", got {line[:80]!r}'
            ) from None
