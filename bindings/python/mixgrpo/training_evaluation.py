"""Evaluations inside `train`: held-out rewards, the best model on disk, the watchdog."""

import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from ._arrays import DoubleArray, FloatArray
from ._folders import paths_in
from .configurations import EvaluationConfig, SampleConfig
from .enums import Verdict, Watchdog, Weights
from .errors import InvalidArgument, InvalidFormat
from .evaluation import Evaluation, EvaluationResult
from .host_trainer import HostTrainer
from .trainer import Trainer


class HackedRewardWarning(RuntimeWarning):
    """The trained rewards rise while the held-out ones fall."""


Score: TypeAlias = Callable[[FloatArray, Sequence[int]], Mapping[str, DoubleArray]]
"""Scores samples (P, S, N, C) of these prompts; returns (P, S) by name."""

Receiver: TypeAlias = Callable[[EvaluationResult, Mapping[str, float]], object]

Keeper: TypeAlias = str | os.PathLike[str] | Callable[[], object]
"""Where the best model is saved: a folder, or a function that saves the current model."""


@runtime_checkable
class Evaluable(Protocol):
    """What an evaluation needs of a trainer whose host owns the model, such as `mixgrpo.torch.TorchTrainer`."""

    reward_names: tuple[str, ...]

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    @property
    def lines(self) -> Sequence[str] | None:
        """The prompts' words."""

    def sample(self, prompt_indices: Sequence[int], config: SampleConfig, /) -> FloatArray:
        """Deterministic samples, (P, S, …)."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How `train` evaluates; see its documentation."""

    every: int
    prompts: Sequence[int] | None
    sampling: SampleConfig | None
    keep_best: Keeper | None
    watchdog: Watchdog

    def evaluations(
        self, trainer: object, held_out: Sequence[str], score: Score, receiver: Receiver | None
    ) -> "Evaluations | None":
        """None when `every` is 0. Raises `InvalidArgument` for settings that need evaluations."""
        if self.every != 0:
            if not isinstance(trainer, Evaluable):
                raise InvalidArgument(
                    f"evaluate_every: expected 0, as {type(trainer).__name__} has no sample(), got {self.every}"
                )
            return Evaluations(trainer, self, held_out, score, receiver)
        wanted = {
            "evaluation_rewards": bool(held_out),
            "evaluation_prompts": self.prompts is not None,
            "keep_best": self.keep_best is not None,
            "watchdog": self.watchdog is not Watchdog.OFF,
            "on_evaluation": receiver is not None,
        }
        if names := [name for name, is_set in wanted.items() if is_set]:
            raise InvalidArgument(f"evaluate_every: expected a number above 0, as {', '.join(names)} is set, got 0")
        return None


class Evaluations:
    """The evaluations of one call of `train`."""

    def __init__(
        self,
        trainer: Trainer | Evaluable,
        settings: EvaluationSettings,
        held_out: Sequence[str],
        score: Score,
        receiver: Receiver | None,
    ) -> None:
        if taken := set(held_out) & set(trainer.reward_names):
            raise InvalidArgument(f"evaluation_rewards: expected other names than the trained, got {sorted(taken)}")
        self._trainer, self._settings, self._score, self._receiver = trainer, settings, score, receiver
        if not isinstance(trainer, Trainer) and not (settings.keep_best is None or callable(settings.keep_best)):
            raise InvalidArgument(
                f"keep_best: expected a function that saves the model, as {type(trainer).__name__} does not own it, "
                f"got {settings.keep_best!r}"
            )
        self._prompts = list(range(_prompt_count(trainer)) if settings.prompts is None else settings.prompts)
        self._saved = -1
        weights = dict.fromkeys(trainer.reward_names, 0.0 if held_out else 1.0) | dict.fromkeys(held_out, 1.0)
        config = EvaluationConfig(
            every=settings.every,
            weights=Weights.AVERAGE if _is_averaged(trainer) else Weights.TRAINED,
            keep_best=settings.keep_best is not None and not callable(settings.keep_best),
            watchdog=settings.watchdog,
        )
        sampling = settings.sampling
        if isinstance(trainer, HostTrainer):
            sampling = trainer.sample_config(sampling)
        self._evaluation = Evaluation(self._prompts, weights, held_out=held_out, config=config, sampling=sampling)

    def go_on(self, *, always: bool = False) -> bool:
        """Evaluates when an evaluation is due, or always, but never twice. Returns whether training continues."""
        iteration = self._trainer.iteration
        latest = self._evaluation.latest_iteration
        if iteration <= latest or not (always or self._evaluation.is_due(iteration)):
            return iteration != latest or self._evaluation.verdict is not Verdict.STOP
        result = self._evaluation.submit(iteration, self._score(self._samples(), self._prompts))
        if result.is_best:
            self._keep()
        if self._receiver is not None:
            self._receiver(result, self._evaluation.means())
        if result.verdict is Verdict.WARN:
            warnings.warn(result.message, HackedRewardWarning, stacklevel=3)
        return result.verdict is not Verdict.STOP

    def save(self, folder: Path) -> None:
        """Saves what a continuation needs, under the number of the latest evaluation. Earlier saves stay."""
        latest = self._evaluation.latest_iteration
        if latest != self._saved:
            self._evaluation.save(_path(folder, latest))
            self._saved = latest

    def remove_outdated(self, folder: Path) -> None:
        """Removes the saves before the latest one, once the trainer's checkpoint that goes with it is written."""
        if self._saved < 0:
            return
        for other in _saved(folder):
            if other != _path(folder, self._saved):
                shutil.rmtree(other, ignore_errors=True)

    def load(self, folder: Path) -> None:
        """Restores the newest intact state in a folder, if there is one.

        It may be ahead of the trainer's checkpoint; those iterations are then not evaluated twice. A verdict to stop
        holds when the trainer is at the iteration of the verdict. A damaged state gives a `RuntimeWarning` and is kept
        under another name, and so is the best model so far when no state is intact. Raises `InputOutputError` when a
        state cannot be read, because it may be intact.
        """
        damaged = []
        for path in reversed(_saved(folder)):
            if not any(path.iterdir()):  # the save was stopped before its file was there
                continue
            try:
                self._evaluation.restore(path)
            except InvalidFormat as error:
                warnings.warn(f"skipped a damaged evaluation: {path}: {error}", RuntimeWarning, stacklevel=4)
                damaged.append(_set_aside(path, "damaged"))
                continue
            self._saved = self._evaluation.latest_iteration
            return
        if damaged:
            self._set_best_aside()

    def _set_best_aside(self) -> None:
        """Keeps the best model of evaluations whose state is lost."""
        keep_best = self._settings.keep_best
        if keep_best is None or callable(keep_best) or not os.path.lexists(keep_best):
            return
        kept = _set_aside(Path(keep_best), f"until-{self._trainer.iteration:06d}")
        warnings.warn(f"evaluations restart; kept the best model so far: {kept}", RuntimeWarning, stacklevel=5)

    def _samples(self) -> FloatArray:
        if isinstance(self._trainer, Trainer | HostTrainer):
            return self._evaluation.sample(self._trainer)
        return self._trainer.sample(self._prompts, self._evaluation.sampling)

    def _keep(self) -> None:
        if callable(self._settings.keep_best):
            self._settings.keep_best()
        elif self._settings.keep_best is not None:
            self._evaluation.save_best(self._settings.keep_best)


_PREFIX = "evaluation-"


def _set_aside(path: Path, why: str) -> Path:
    """Renames a file or folder to a name that is free, so that nothing overwrites it."""
    ends = ("", *(f"-{number}" for number in range(2, 1000)))
    name = next(name for end in ends if not os.path.lexists(name := path.with_name(f"{path.name}-{why}{end}")))
    path.rename(name)
    return name


def _saved(folder: Path) -> list[Path]:
    """The folders of saved evaluations, the oldest first."""
    return sorted(
        path
        for path in paths_in(folder)
        if path.name.startswith(_PREFIX) and path.name.removeprefix(_PREFIX).isdecimal()
    )


def _path(folder: Path, iteration: int) -> Path:
    return folder / f"{_PREFIX}{iteration:08d}"


def _prompt_count(trainer: Trainer | Evaluable) -> int:
    return len(trainer.prompts) if isinstance(trainer, Trainer) else len(trainer.lines or ())


def _is_averaged(trainer: Trainer | Evaluable) -> bool:
    return isinstance(trainer, Trainer) and trainer.learning.ema_decay > 0
