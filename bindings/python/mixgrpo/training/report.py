"""The page that `train` writes: curves of a run, and samples before, meanwhile and after."""

import base64
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from .._arrays import ByteArray
from .._folders import replace_file
from ..errors import InputOutputError, InvalidFormatError
from ..image import Image
from ..ranks import ranks_of
from ..results import EvaluationResult, Metrics
from .argument_types import Trainable
from .evaluation import Evaluable, ResolvedEvaluation, sampling_of
from .pictures import SAMPLES, ShownSamples
from .report_page import ReportData, parsed, rendered

_SECONDS_BETWEEN_WRITES = 5.0


class Report:
    """One HTML file, written whole each time, at most every few seconds. It contains its own data, from which a resumed
    run continues it. Its samples are those of the evaluations, or else drawn at both ends."""

    def __init__(
        self,
        file: Path,
        trainer: Trainable,
        shown: ShownSamples,
        evaluation: ResolvedEvaluation | None,
        iterations: int,
    ) -> None:
        self._file, self._trainer, self._shown, self._iterations = file, trainer, shown, iterations
        self._evaluation, self._ranks = evaluation, ranks_of(trainer)
        self._data = ReportData()
        self._written = 0.0

    def begin(self) -> None:
        """Continues the page of a resumed run, or begins a new one.

        Raises `InvalidFormatError` when the file is another than a report; `InputOutputError`. The file is then
        unchanged.
        """
        self._ranks.first(self._continue)
        if self._ranks.gather(np.array(not self._data.pictures))[0]:
            self._draw()
        self._ranks.first(self.write)

    def _continue(self) -> None:
        earlier = self._read()
        iteration = self._trainer.iteration
        if iteration > 0 and earlier is not None:
            self._data = earlier
            self._data.cut(iteration)
            if self._data.prompts != self._words():
                self._data.pictures = []  # of other prompts, to which those of the trained model cannot be compared
        self._data.title, self._data.state, self._data.planned = self._file.stem, "running", self._iterations
        self._data.held_out = list(self._evaluation.settings.held_out) if self._evaluation else []
        self._data.settings = _settings(self._trainer)

    def add_iteration(self, figures: Metrics, warnings: list[str]) -> None:
        """Adds the latest iteration."""
        self._data.iterations.append({**asdict(figures), "rewards": self._rewards(figures)})
        self._data.warnings += warnings
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self.write()

    def add_evaluation(self, result: EvaluationResult, means: Mapping[str, float]) -> None:
        """Adds an evaluation."""
        self._data.evaluations.append({"iteration": result.iteration, "means": dict(means)})

    def add_images(self, images: ByteArray) -> None:
        """Adds images (P, S, height, width, 3) of the model as it is."""
        self._data.prompts = self._words()
        rows = [[base64.b64encode(Image(image).encode()).decode() for image in row] for row in images]
        self._data.add_pictures(self._trainer.iteration, rows)

    def finish(self) -> None:
        """Draws the samples of the trained model."""
        self._draw()
        self._data.state = "finished"

    def stop(self) -> None:
        """The last word of a run, whether it has finished or not. Raises `InputOutputError`."""
        self._data.state = "finished" if self._data.state == "finished" else "stopped"
        self.write()

    def write(self) -> None:
        """Writes the page, on rank 0. Raises `InputOutputError`."""
        if self._ranks.index > 0:
            return
        replace_file(self._file, rendered(self._data).encode(errors="replace"))
        self._written = time.monotonic()

    def _read(self) -> ReportData | None:
        try:
            return parsed(self._file.read_text(errors="replace"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputOutputError(f"{self._file}: expected a readable file, got {error}") from error
        except ValueError as error:
            raise InvalidFormatError(
                f"report: expected a new file or the report of an earlier run, got {self._file} with {error}"
            ) from None

    def _rewards(self, figures: Metrics) -> dict[str, dict[str, float]]:
        by_name: Any = getattr(self._trainer, "reward_metrics", None)
        if by_name is None:
            return {"reward": {"mean": figures.reward_mean}}
        return {name: {"mean": reward.mean} for name, reward in by_name().items()}

    def _words(self) -> list[str]:
        return self._shown.prompts

    def _draw(self) -> None:
        """Draws samples of the model as it is, unless evaluations do."""
        if self._evaluation is None and isinstance(self._trainer, Evaluable):
            own = self._trainer.sample(self._shown.rows, sampling_of(self._trainer, SAMPLES))
            samples = self._ranks.gather_shares(own, len(self._shown.rows))
            self._ranks.first(lambda: self._shown.add(samples))


def _settings(trainer: Trainable) -> dict[str, Any]:
    parts = {
        "sampling": getattr(getattr(trainer, "plan", None), "config", None),
        "learning": getattr(trainer, "learning", None),
    }
    return {
        name: {key: _word(value) for key, value in asdict(part).items()}
        for name, part in parts.items()
        if is_dataclass(part) and not isinstance(part, type)
    }


def _word(value: Any) -> Any:
    """As the settings are written: choices by their names."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Mapping):
        return {str(key): _word(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_word(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
