"""Evaluations inside `train`: held-out rewards, the best model on disk, the watchdog."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from .._arrays import ByteArray, DoubleArray, FloatArray
from .._folders import paths_in, require_place
from .._warnings import warn
from ..configurations import EvaluationConfig
from ..enums import Verdict, Weights
from ..errors import InvalidArgumentError, InvalidFormatError
from ..evaluation import Evaluation
from ..host_trainer import HostTrainer
from ..person_reward import PersonReward
from ..ranks import ranks_of
from ..results import EvaluationResult
from ..trainer import Trainer
from .argument_types import Decoder, EvaluationReceiver, Reward
from .evaluated import EvaluatedFigures
from .evaluation import Evaluable, ResolvedEvaluation
from .pictures import ShownSamples
from .progress import ProgressDisplay
from .scoring import score


class HackedRewardWarning(RuntimeWarning):
    """The trained rewards rise while the held-out ones fall."""


Score: TypeAlias = Callable[[FloatArray, Sequence[int]], Mapping[str, DoubleArray]]
"""Scores samples (P, S, N, C) of these prompts; returns (P, S) by name."""


def evaluations_of(
    resolved: ResolvedEvaluation,
    rewards: Mapping[str, Reward],
    decode: Decoder,
    weights: Mapping[str, float] | None,
    receivers: Sequence[EvaluationReceiver],
    display: ProgressDisplay,
    shown: ShownSamples,
) -> "Evaluations":
    """The evaluations by the training rewards and the held-out ones. Nobody asks a person: they vote in training only, and
    where nothing else scores, an evaluation has no figure."""
    held_out, lines = resolved.settings.held_out, resolved.trainer.lines or ()
    asked = {name: reward for name, reward in rewards.items() if not isinstance(reward, PersonReward)}
    if not asked and not held_out:
        asked = dict.fromkeys(rewards, _no_score)

    def score_all(samples: FloatArray, chosen: Sequence[int]) -> dict[str, DoubleArray]:
        return score(samples, [lines[index] for index in chosen], {**asked, **held_out}, decode)

    figures = EvaluatedFigures(list(asked), list(held_out), weights, display)
    return Evaluations(resolved, list(asked), score_all, receivers, figures, display, shown)


def _no_score(images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
    return np.full(len(images), np.nan)


class Evaluations:
    """The evaluations of one call of `train`. `trained`: the names of the training rewards that score them; the held-out
    ones follow."""

    def __init__(
        self,
        resolved: ResolvedEvaluation,
        trained: Sequence[str],
        score: Score,
        receivers: Sequence[EvaluationReceiver],
        figures: EvaluatedFigures,
        display: ProgressDisplay,
        shown: ShownSamples,
    ) -> None:
        trainer, settings, held_out = resolved.trainer, resolved.settings, tuple(resolved.settings.held_out)
        if taken := set(held_out) & set(trainer.reward_names):
            raise InvalidArgumentError(f"held_out: expected other names than the trained, got {sorted(taken)}")
        own = [] if settings.on_evaluation is None else [settings.on_evaluation]
        self._trainer, self._settings, self._score, self._receivers = trainer, settings, score, [*receivers, *own]
        self._figures, self._display, self._shown, self._ranks = figures, display, shown, ranks_of(trainer)
        if not isinstance(trainer, Trainer) and not (settings.keep_best is None or callable(settings.keep_best)):
            raise InvalidArgumentError(
                f"keep_best: expected a function that saves the model, as {type(trainer).__name__} does not own it, "
                f"got {settings.keep_best!r}"
            )
        self._prompts = resolved.prompts
        self._saved = -1
        weights = dict.fromkeys(trained, 0.0 if held_out else 1.0) | dict.fromkeys(held_out, 1.0)
        config = EvaluationConfig(
            every=settings.every,
            weights=Weights.AVERAGE if _is_averaged(trainer) else Weights.TRAINED,
            keep_best=settings.keep_best is not None and not callable(settings.keep_best),
            watchdog=settings.watchdog,
        )
        sampling = resolved.sampling
        if isinstance(trainer, HostTrainer):
            sampling = trainer.sample_config(sampling)
        self._evaluation = Evaluation(self._prompts, weights, held_out=held_out, config=config, sampling=sampling)

    def begin(self) -> None:
        """Raises `InputOutputError` where the best model cannot be saved, before any work is done for it."""
        keep_best = self._settings.keep_best
        if not (keep_best is None or callable(keep_best)):
            self._ranks.first(lambda: require_place(Path(keep_best)))

    def go_on(self, *, always: bool = False) -> bool:
        """Evaluates at first, when an evaluation is due, or always, but never twice. Returns whether training
        continues."""
        iteration = self._trainer.iteration
        latest = self._evaluation.latest_iteration
        if iteration <= latest or not (always or latest < 0 or self._evaluation.is_due(iteration)):
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
        means = self._evaluation.means()
        self._figures.add(result, means)
        for receive in self._receivers:
            receive(result, means)

    def _scores(self) -> Mapping[str, DoubleArray]:
        """(P, S) by name; each rank scores its own samples."""
        samples, ranks = self._samples(), self._ranks
        if self._shown.receivers:
            everything = ranks.gather_shares(samples, len(self._prompts))
            ranks.first(lambda: self._shown.add(everything))
        own = self._prompts[ranks.share(len(self._prompts))]
        none = {name: np.empty(samples.shape[:2]) for name in self._evaluation.reward_names}
        scores = ranks.together(lambda: self._score(samples, own) if own else none)
        return {name: ranks.gather_shares(scores[name], len(self._prompts)) for name in scores}

    def save(self, folder: Path) -> None:
        """Saves what a continuation needs, under the number of the latest evaluation. Earlier saves stay."""
        latest = self._evaluation.latest_iteration
        if latest != self._saved:
            self._ranks.first(lambda: self._save(_path(folder, latest)))
            self._saved = latest

    def _save(self, folder: Path) -> None:
        self._evaluation.save(folder)
        self._figures.save(folder)

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
            self._figures.load(saved)
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


def _is_averaged(trainer: Trainer | Evaluable) -> bool:
    return isinstance(trainer, Trainer) and trainer.learning.ema_decay > 0
