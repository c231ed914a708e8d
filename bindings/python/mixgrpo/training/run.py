"""The loop of `train`: iterations, and what is done after each of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..ranks import Ranks, ranks_of
from ..results import Metrics
from .argument_types import IterationReceiver, PromptChoice, Trainable
from .checkpoints import Checkpoints
from .evaluations import Evaluations
from .learning_warnings import LearningWarnings
from .metrics_file import MetricsFile
from .progress import ProgressDisplay
from .report import Report

Iterate: TypeAlias = Callable[[Sequence[int]], Metrics]
"""Trains one iteration on these prompts."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """One call of `train`, with what it was asked for."""

    trainer: Trainable
    iterate: Iterate
    choose: PromptChoice
    evaluations: Evaluations | None
    checkpoints: Checkpoints | None
    log: MetricsFile | None
    report: Report | None
    receiver: IterationReceiver | None
    display: ProgressDisplay

    @property
    def ranks(self) -> Ranks:
        """The ranks that run it."""
        return ranks_of(self.trainer)

    def run(self, iterations: int) -> list[Metrics]:
        """Trains to the number of iterations, those of a checkpoint included."""
        history: list[Metrics] = []
        with contextlib.ExitStack() as held:
            if checkpoints := self.checkpoints:
                self.ranks.first(lambda: held.enter_context(checkpoints.lock()))
            done = self._resume()
            warnings = LearningWarnings(self.trainer)
            with self._shown(done, iterations):
                for _ in range(done, iterations):
                    if not self._evaluate():
                        break
                    history.append(self.iterate(self.choose(self.trainer.iteration)))
                    self._tell(history[-1], warnings)
                self._finish()
        return history

    def _resume(self) -> int:
        done = self.checkpoints.iterations_done() if self.checkpoints else 0
        if self.evaluations:
            self.evaluations.begin()
        if self.log:
            self.ranks.first(self.log.resume)
        if self.report:
            self.report.begin()
        return done

    @contextlib.contextmanager
    def _shown(self, done: int, iterations: int) -> Iterator[None]:
        self.display.start(done, iterations)
        try:
            with self.display.watching(self.trainer):
                yield
        finally:
            self.display.finish()
            if self.report:
                self.report.stop()

    def _evaluate(self, *, always: bool = False) -> bool:
        """Evaluates when it is due. Returns whether training continues."""
        return self.evaluations is None or self.evaluations.go_on(always=always)

    def _tell(self, figures: Metrics, warnings: LearningWarnings) -> None:
        """The checkpoint comes last: a run that resumes from it has reported everything before it. What the host raises
        loses no finished iteration."""
        self.display.advance(figures.reward_mean)
        try:
            if self.log:
                self.ranks.first(self.log.append)
            sentences = warnings.new()
            if report := self.report:
                self.ranks.first(lambda: report.add_iteration(figures, sentences))
            with self.display.aside():
                if receiver := self.receiver:
                    self.ranks.together(lambda: receiver(figures))
                self.ranks.first(lambda: warnings.give(sentences))
        finally:
            if self.checkpoints:
                self.checkpoints.save()

    def _finish(self) -> None:
        self._evaluate(always=True)
        if self.checkpoints:
            self.checkpoints.save(always=True)
        if self.report:
            self.report.finish()
