"""The page that `train` writes: curves of a run, and samples before and after."""

import base64
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ._arrays import FloatArray
from ._folders import replace_file
from ._report_page import ReportData, parsed, rendered
from .configurations import SampleConfig, SamplingConfig
from .errors import InputOutputError, InvalidFormatError
from .evaluation import EvaluationResult
from .image import Image
from .metrics import Metrics
from .ranks import ranks_of
from .training_evaluation import Evaluable, TrainingEvaluation
from .training_types import Decoder, Trainable

_SHOWN_PROMPTS = 4
_SAMPLES = 2
_SECONDS_BETWEEN_WRITES = 5.0


class Report:
    """One HTML file, written whole each time, at most every few seconds. It contains its own data, from which a resumed
    run continues it."""

    def __init__(self, file: Path, trainer: Trainable, decode: Decoder, evaluation: TrainingEvaluation | None) -> None:
        self._file, self._trainer, self._decode = file, trainer, decode
        self._ranks = ranks_of(trainer)
        self._sampling, self._prompts = _shown(trainer, evaluation)
        self._data = ReportData()
        self._written = 0.0

    def begin(self) -> None:
        """Continues the page of a resumed run, or begins a new one with samples of the model as it is.

        Raises `InvalidFormatError` when the file is another than a report; `InputOutputError`. The file is then
        unchanged.
        """
        self._ranks.first(self._continue)
        iteration = self._trainer.iteration
        if self._ranks.gather(np.array(not self._data.pictures))[0]:
            self._draw("before" if iteration == 0 else f"at iteration {iteration}")
        self._ranks.first(self.write)

    def _continue(self) -> None:
        earlier = self._read()
        iteration = self._trainer.iteration
        if iteration > 0 and earlier is not None:
            self._data = earlier
            self._data.cut(iteration)
            if self._data.prompts != self._words():
                self._data.pictures = {}  # of other prompts, to which those of the trained model cannot be compared

    def add_iteration(self, figures: Metrics, warnings: list[str]) -> None:
        """Adds the latest iteration."""
        self._data.iterations.append({**asdict(figures), "means": self._means(figures)})
        self._data.warnings += warnings
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self.write()

    def add_evaluation(self, result: EvaluationResult, means: Mapping[str, float]) -> None:
        """Adds an evaluation."""
        self._data.evaluations.append({"iteration": result.iteration, "means": dict(means)})

    def finish(self) -> None:
        """Draws the samples of the trained model."""
        first = next(iter(self._data.pictures), None)
        self._data.pictures = {title: rows for title, rows in self._data.pictures.items() if title == first}
        self._draw("after")

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

    def _means(self, figures: Metrics) -> dict[str, float]:
        by_name: Any = getattr(self._trainer, "reward_metrics", None)
        if by_name is None:
            return {"reward": figures.reward_mean}
        return {name: reward.mean for name, reward in by_name().items()}

    def _words(self) -> list[str]:
        return [(self._trainer.lines or ())[index] for index in self._prompts]

    def _draw(self, title: str) -> None:
        trainer = self._trainer
        if not isinstance(trainer, Evaluable):
            return
        samples = self._ranks.gather_shares(trainer.sample(self._prompts, self._sampling), len(self._prompts))
        self._ranks.first(lambda: self._show(title, samples))

    def _show(self, title: str, samples: FloatArray) -> None:
        images = self._decode(samples.reshape(-1, *samples.shape[2:]))
        encoded = [base64.b64encode(Image(image).encode()).decode() for image in images]
        count = samples.shape[1]
        self._data.prompts = self._words()
        self._data.pictures[title] = [encoded[at : at + count] for at in range(0, len(encoded), count)]


def _shown(trainer: Trainable, evaluation: TrainingEvaluation | None) -> tuple[SampleConfig, list[int]]:
    """How samples are drawn and of which prompts: as in evaluations, or as in training but without its noise."""
    known = list(range(len(trainer.lines or ())))
    if evaluation is not None:
        known = known if evaluation.prompts is None else list(evaluation.prompts)
        return evaluation.sampling, known[:_SHOWN_PROMPTS]
    plan = getattr(getattr(trainer, "plan", None), "config", SamplingConfig())
    sampling = SampleConfig(
        steps=plan.steps,
        shift=plan.shift,
        image_tokens=plan.image_tokens,
        sigma_rounding=plan.sigma_rounding,
        samples_per_prompt=_SAMPLES,
    )
    return sampling, known[:_SHOWN_PROMPTS]
