"""Checkpoints inside `train`: a stopped run continues where it was."""

from __future__ import annotations  # help() shows the types by their names

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from .._arguments import path, whole
from .._folders import paths_in
from ..errors import InvalidArgumentError
from ..ranks import ranks_of
from ..results import Resumption
from .argument_types import FilePath
from .evaluations import Evaluations
from .folder_lock import FolderLock


@runtime_checkable
class Checkpointable(Protocol):
    """What `train` needs of a trainer to save and resume: `Trainer` and `mixgrpo.torch.TorchTrainer` have it."""

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    def checkpoint(self, folder: str | os.PathLike[str], *, keep_last: int) -> None:
        """Saves into a folder of checkpoints and keeps the newest."""

    def resume(self, folder: str | os.PathLike[str]) -> Resumption | None:
        """Restores the newest complete checkpoint; None when there is none."""


@dataclass(frozen=True)
class TrainingCheckpoints:
    """How `train` saves: everything that a bit-exact continuation needs, including evaluations, into the folder of the
    run. After a kill or on a full disk the folder still holds a complete checkpoint if it held one before.

    A trainer that has not trained yet first restores the newest complete checkpoint, and its iterations count: a program
    that is started again ends where it would have ended without the stop. While `train` runs, the folder is locked; also
    the command `mixgrpo` does not run in it. Raises `InvalidArgumentError` naming a field that does not fit.
    """

    folder: FilePath
    """Of the run."""
    every: int = 1
    """Iterations between two checkpoints; the last iteration is always saved. Range: 1 or more."""
    keep_last: int = 3
    """The newest ones that are kept. Range: 1…1000000."""
    resume: bool = True
    """Whether to continue from a checkpoint."""

    def __post_init__(self) -> None:
        path(self.folder, "folder")
        whole(self.every, "every", 1)
        whole(self.keep_last, "keep_last", 1, 1_000_000)


def checkpoint_settings(given: FilePath | TrainingCheckpoints | None) -> TrainingCheckpoints | None:
    """The settings of a run in a folder."""
    if given is None or isinstance(given, TrainingCheckpoints):
        return given
    return TrainingCheckpoints(path(given, "checkpoints"))


def checkpoints_of(
    settings: TrainingCheckpoints | None, trainer: object, evaluations: Evaluations | None
) -> Checkpoints | None:
    """None without settings. Raises `InvalidArgumentError` for a trainer that cannot be saved."""
    if settings is None:
        return None
    if not isinstance(trainer, Checkpointable):
        raise InvalidArgumentError(f"checkpoints: expected None, as {type(trainer).__name__} has no checkpoint()")
    return Checkpoints(Path(settings.folder), trainer, evaluations, settings)


class Checkpoints:
    """The checkpoints of one call of `train`."""

    def __init__(
        self, folder: Path, trainer: Checkpointable, evaluations: Evaluations | None, settings: TrainingCheckpoints
    ) -> None:
        self._folder, self._trainer, self._evaluations, self._settings = folder, trainer, evaluations, settings
        self._saved = -1

    def lock(self) -> FolderLock:
        """Excludes other runs from the folder. Raises `InvalidStateError` naming who uses it; `InputOutputError`."""
        return FolderLock(self._folder)

    def iterations_done(self) -> int:
        """Resumes a trainer that has not trained yet. Returns the number of iterations restored."""
        if not self._settings.resume or self._trainer.iteration > 0:
            self._refuse_another_run()
            return 0
        found = self._trainer.resume(self._folder)
        if found is None:
            return 0
        if self._evaluations is not None:
            self._evaluations.load(self._folder)
        self._saved = found.iteration
        return found.iteration

    def save(self, *, always: bool = False) -> None:
        """Saves when a checkpoint is due, or always; never the same iteration twice."""
        iteration = self._trainer.iteration
        if not (always or iteration % self._settings.every == 0):
            return
        # The evaluations first: they may be ahead of the checkpoint, but not behind it. The old ones are removed last,
        # because they are needed if the checkpoint fails.
        if self._evaluations is not None:
            self._evaluations.save(self._folder)
        if iteration != self._saved:
            self._save_trainer()
        if self._evaluations is not None:
            self._evaluations.remove_outdated(self._folder)

    def _refuse_another_run(self) -> None:
        """If there are later checkpoints, saves at once: the trainer refuses that when one of them is complete, before
        anything of the run that they belong to is overwritten."""
        is_later = ranks_of(self._trainer).together(
            lambda: any(number > self._trainer.iteration for number in _numbers(self._folder)),
            "checkpoints: a later one", lambda found: bytes([found]),
        )  # fmt: skip
        if is_later:
            self._save_trainer()

    def _save_trainer(self) -> None:
        self._trainer.checkpoint(self._folder, keep_last=self._settings.keep_last)
        self._saved = self._trainer.iteration


def _numbers(folder: Path) -> Iterator[int]:
    """The iterations of a folder's checkpoints, complete or not."""
    for file in paths_in(folder):
        if file.name.startswith("iteration-") and (number := file.stem.removeprefix("iteration-")).isdecimal():
            yield int(number)
