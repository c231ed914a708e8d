"""Evaluations inside `train`: held-out rewards, the best model on disk, the watchdog."""

from __future__ import annotations  # help() shows the types by their names

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ._arguments import chosen, function, instance, path, whole
from ._arrays import DoubleArray, FloatArray, integers
from ._folders import paths_in, require_place
from ._progress import ProgressDisplay
from ._warnings import warn
from .configurations import EvaluationConfig, SampleConfig
from .enums import Verdict, Watchdog, WatchdogName, Weights
from .errors import InvalidArgumentError, InvalidFormatError
from .evaluation import Evaluation, EvaluationResult
from .host_trainer import HostTrainer
from .ranks import ranks_of
from .scoring import checked_rewards
from .trainer import Trainer
from .training_types import EvaluationReceiver, Keeper, Reward


class HackedRewardWarning(RuntimeWarning):
    """The trained rewards rise while the held-out ones fall."""


Score: TypeAlias = Callable[[FloatArray, Sequence[int]], Mapping[str, DoubleArray]]
"""Scores samples (P, S, N, C) of these prompts; returns (P, S) by name."""


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


@dataclass(frozen=True, kw_only=True)
class TrainingEvaluation:
    """How `train` evaluates: every `every` iterations, before the first of them and after the last, the model draws the
    same samples from the same noise, and all rewards score them.

    Raises `InvalidArgumentError` naming a field that does not fit.
    """

    every: int = 10
    """Iterations between two evaluations. Range: 1…1000000."""
    held_out: Mapping[str, Reward] = field(default_factory=dict)
    """Rewards that the model is not trained on, by name."""
    prompts: Sequence[int] | None = None
    """Indices of the prompts; all by default."""
    sampling: SampleConfig = SampleConfig()
    """How the samples are drawn."""
    keep_best: Keeper | None = None
    """A folder for the best model, that of the highest mean of the held-out rewards, or of the trained ones when none
    is held out; averaged weights where the trainer keeps them. For a model that the host owns, a function that saves
    it, called when the current model is the best so far."""
    watchdog: Watchdog = Watchdog.OFF
    """When the trained rewards rise while the held-out ones fall for three evaluations, "warn" gives a
    `HackedRewardWarning`, and "stop" ends the training, also of a run that is resumed where it was stopped."""
    on_evaluation: EvaluationReceiver | None = None
    """Called after each evaluation with its figures and the means of all rewards by name."""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            every: int = ...,
            held_out: Mapping[str, Reward] = ...,
            prompts: Sequence[int] | None = ...,
            sampling: SampleConfig = ...,
            keep_best: Keeper | None = ...,
            watchdog: Watchdog | WatchdogName = ...,
            on_evaluation: EvaluationReceiver | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        whole(self.every, "every", 1, 1_000_000)
        checked_rewards(self.held_out, "held_out")
        for index in () if self.prompts is None else integers(self.prompts, "prompts").reshape(-1).tolist():
            whole(index, "prompts", 0)
        if not (self.keep_best is None or callable(self.keep_best)):
            path(self.keep_best, "keep_best")
        instance(self.sampling, SampleConfig, "sampling")
        object.__setattr__(self, "watchdog", chosen(Watchdog, self.watchdog, "watchdog"))
        if self.watchdog is not Watchdog.OFF and not self.held_out:
            raise InvalidArgumentError("held_out: expected at least one reward, as the watchdog is on, got none")
        if self.on_evaluation is not None:
            function(self.on_evaluation, "on_evaluation", "a result and the rewards' means", 2)


def evaluations_of(
    settings: TrainingEvaluation | None,
    trainer: object,
    score: Score,
    receivers: Sequence[EvaluationReceiver],
    display: ProgressDisplay,
    show: Callable[[FloatArray], None] | None = None,
) -> Evaluations | None:
    """None without settings. Raises `InvalidArgumentError` for a trainer that cannot be evaluated."""
    if settings is None:
        return None
    instance(settings, TrainingEvaluation, "evaluation")
    if not isinstance(trainer, Evaluable):
        raise InvalidArgumentError(f"evaluation: expected None, as {type(trainer).__name__} has no sample(), got one")
    own = [] if settings.on_evaluation is None else [settings.on_evaluation]
    return Evaluations(trainer, settings, score, [*receivers, *own], display, show)


class Evaluations:
    """The evaluations of one call of `train`."""

    def __init__(
        self,
        trainer: Trainer | Evaluable,
        settings: TrainingEvaluation,
        score: Score,
        receivers: Sequence[EvaluationReceiver],
        display: ProgressDisplay,
        show: Callable[[FloatArray], None] | None = None,
    ) -> None:
        held_out = tuple(settings.held_out)
        if taken := set(held_out) & set(trainer.reward_names):
            raise InvalidArgumentError(f"held_out: expected other names than the trained, got {sorted(taken)}")
        self._trainer, self._settings, self._score, self._receivers = trainer, settings, score, receivers
        self._display, self._show, self._ranks = display, show, ranks_of(trainer)
        if not isinstance(trainer, Trainer) and not (settings.keep_best is None or callable(settings.keep_best)):
            raise InvalidArgumentError(
                f"keep_best: expected a function that saves the model, as {type(trainer).__name__} does not own it, "
                f"got {settings.keep_best!r}"
            )
        known = range(_prompt_count(trainer))
        self._prompts = list(known if settings.prompts is None else settings.prompts)
        if outside := [index for index in self._prompts if index not in known]:
            raise InvalidArgumentError(f"prompts: expected indices of 0…{len(known) - 1}, got {outside}")
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

    def begin(self) -> None:
        """Raises `InputOutputError` where the best model cannot be saved, before any work is done for it."""
        keep_best = self._settings.keep_best
        if not (keep_best is None or callable(keep_best)):
            self._ranks.first(lambda: require_place(Path(keep_best)))

    def go_on(self, *, always: bool = False) -> bool:
        """Evaluates when an evaluation is due, or always, but never twice. Returns whether training continues."""
        iteration = self._trainer.iteration
        latest = self._evaluation.latest_iteration
        if iteration <= latest or not (always or self._evaluation.is_due(iteration)):
            return iteration != latest or self._evaluation.verdict is not Verdict.STOP
        result = self._evaluation.submit(iteration, self._scores())
        if result.is_best:
            self._ranks.together(self._keep)
        with self._display.aside():
            self._ranks.together(lambda: self._report(result))
            if result.verdict is Verdict.WARN:
                self._ranks.first(lambda: warn(result.message, HackedRewardWarning))
        return result.verdict is not Verdict.STOP

    def _report(self, result: EvaluationResult) -> None:
        for receive in self._receivers:
            receive(result, self._evaluation.means())

    def _scores(self) -> Mapping[str, DoubleArray]:
        """(P, S) by name; each rank scores its own samples."""
        samples, ranks = self._samples(), self._ranks
        if show := self._show:
            everything = ranks.gather_shares(samples, len(self._prompts))
            ranks.first(lambda: show(everything))
        own = self._prompts[ranks.share(len(self._prompts))]
        none = {name: np.empty(samples.shape[:2]) for name in self._evaluation.reward_names}
        scores = ranks.together(lambda: self._score(samples, own) if own else none)
        return {name: ranks.gather_shares(scores[name], len(self._prompts)) for name in scores}

    def save(self, folder: Path) -> None:
        """Saves what a continuation needs, under the number of the latest evaluation. Earlier saves stay."""
        latest = self._evaluation.latest_iteration
        if latest != self._saved:
            self._ranks.first(lambda: self._evaluation.save(_path(folder, latest)))
            self._saved = latest

    def remove_outdated(self, folder: Path) -> None:
        """Removes the saves before the latest one, once the trainer's checkpoint that goes with it is written."""
        if self._saved < 0 or self._ranks.index != 0:
            return
        for other in _saved(folder):
            if other != _path(folder, self._saved):
                shutil.rmtree(other, ignore_errors=True)

    def load(self, folder: Path) -> None:
        """As `_load`; rank 0 first, which sets aside what is damaged."""
        self._ranks.first(lambda: self._load(folder))
        self._ranks.together(lambda: self._load(folder) if self._ranks.index > 0 else None)

    def _load(self, folder: Path) -> None:
        """Restores the newest intact state in a folder, if there is one.

        It may be ahead of the trainer's checkpoint; those iterations are then not evaluated twice. A verdict to stop
        holds when the trainer is at the iteration of the verdict. A damaged state gives a `RuntimeWarning` and is kept
        under another name, and so is the best model so far when no state is intact. Raises `InputOutputError` when a
        state cannot be read, because it may be intact.
        """
        damaged = []
        for saved in reversed(_saved(folder)):
            if not any(saved.iterdir()):  # the save was stopped before its file was there
                continue
            try:
                self._evaluation.restore(saved)
            except InvalidFormatError as error:
                warn(f"skipped a damaged evaluation: {saved}: {error}", RuntimeWarning)
                damaged.append(_set_aside(saved, "damaged"))
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
        warn(f"evaluations restart; kept the best model so far: {kept}", RuntimeWarning)

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


def _set_aside(file: Path, why: str) -> Path:
    """Renames a file or folder to a name that is free, so that nothing overwrites it."""
    ends = ("", *(f"-{number}" for number in range(2, 1000)))
    name = next(name for end in ends if not os.path.lexists(name := file.with_name(f"{file.name}-{why}{end}")))
    file.rename(name)
    return name


def _saved(folder: Path) -> list[Path]:
    """The folders of saved evaluations, the oldest first."""
    return sorted(
        file
        for file in paths_in(folder)
        if file.name.startswith(_PREFIX) and file.name.removeprefix(_PREFIX).isdecimal()
    )


def _path(folder: Path, iteration: int) -> Path:
    return folder / f"{_PREFIX}{iteration:08d}"


def _prompt_count(trainer: Trainer | Evaluable) -> int:
    return len(trainer.prompts) if isinstance(trainer, Trainer) else len(trainer.lines or ())


def _is_averaged(trainer: Trainer | Evaluable) -> bool:
    return isinstance(trainer, Trainer) and trainer.learning.ema_decay > 0
