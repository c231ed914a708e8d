"""Evaluations inside `train`: held-out rewards, the best model on disk, the watchdog."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ._arrays import DoubleArray, FloatArray
from .enums import Verdict, Watchdog, Weights
from .errors import InvalidArgument
from .evaluation import Evaluation, EvaluationConfig, EvaluationResult
from .samples import SampleConfig
from .trainer import Trainer


class HackedRewardWarning(RuntimeWarning):
    """The trained rewards rise while the held-out ones fall."""


Score: TypeAlias = Callable[[FloatArray, Sequence[int]], Mapping[str, DoubleArray]]
"""Scores samples (P, S, N, C) of these prompts: (P, S) by name."""

Receiver: TypeAlias = Callable[[EvaluationResult, Mapping[str, float]], object]


@dataclass(frozen=True)
class EvaluationSettings:
    """How `train` evaluates; its documentation tells what the fields do."""

    every: int
    prompts: Sequence[int] | None
    sampling: SampleConfig | None
    keep_best: str | os.PathLike[str] | None
    watchdog: Watchdog

    def evaluations(
        self, trainer: object, held_out: Sequence[str], score: Score, tell: Receiver | None
    ) -> "Evaluations | None":
        """None when there are to be none. Raises `InvalidArgument` when other settings say otherwise."""
        if self.every != 0:
            if not isinstance(trainer, Trainer):
                raise InvalidArgument(f"evaluate_every: expected 0 without a Trainer, got a {type(trainer).__name__}")
            return Evaluations(trainer, self, held_out, score, tell)
        wanted = {
            "evaluation_rewards": bool(held_out),
            "evaluation_prompts": self.prompts is not None,
            "keep_best": self.keep_best is not None,
            "watchdog": self.watchdog is not Watchdog.OFF,
            "on_evaluation": tell is not None,
        }
        if names := [name for name, is_set in wanted.items() if is_set]:
            raise InvalidArgument(f"evaluate_every: expected a number above 0, as {', '.join(names)} is set, got 0")
        return None


class Evaluations:
    """The evaluations of one call of `train`."""

    def __init__(
        self,
        trainer: Trainer,
        settings: EvaluationSettings,
        held_out: Sequence[str],
        score: Score,
        tell: Receiver | None,
    ) -> None:
        if taken := set(held_out) & set(trainer.reward_names):
            raise InvalidArgument(f"evaluation_rewards: expected other names than the trained, got {sorted(taken)}")
        self._trainer, self._settings, self._score, self._tell = trainer, settings, score, tell
        self._prompts = list(range(len(trainer.prompts)) if settings.prompts is None else settings.prompts)
        self._latest = -1
        weights = dict.fromkeys(trainer.reward_names, 0.0 if held_out else 1.0) | dict.fromkeys(held_out, 1.0)
        config = EvaluationConfig(
            every=settings.every,
            weights=Weights.AVERAGE if trainer.learning.ema_decay > 0 else Weights.TRAINED,
            keep_best=settings.keep_best is not None,
            watchdog=settings.watchdog,
        )
        self._evaluation = Evaluation(
            self._prompts, weights, held_out=held_out, config=config, sampling=settings.sampling
        )

    def go_on(self, *, always: bool = False) -> bool:
        """Evaluates when it is due, or always but not twice; whether training is to go on."""
        iteration = self._trainer.iteration
        if iteration == self._latest or not (always or self._evaluation.is_due(iteration)):
            return True
        self._latest = iteration
        samples = self._evaluation.sample(self._trainer)
        result = self._evaluation.submit(iteration, self._score(samples, self._prompts))
        if result.is_best and self._settings.keep_best is not None:
            self._evaluation.save_best(self._settings.keep_best)
        if self._tell is not None:
            self._tell(result, self._evaluation.means())
        if result.verdict is Verdict.WARN:
            warnings.warn(result.message, HackedRewardWarning, stacklevel=3)
        return result.verdict is not Verdict.STOP

