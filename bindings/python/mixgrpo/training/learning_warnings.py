"""Warnings of `train` when nothing, or little, is learned."""

import json
from typing import Protocol, runtime_checkable

from .._warnings import warn


class LearningWarning(UserWarning):
    """An iteration from which the model learned nothing, or less than it could; the text names the reason and the page
    that helps. `train` gives each kind once."""


@runtime_checkable
class _Judged(Protocol):
    def metrics_json(self) -> str: ...


class LearningWarnings:
    """The warnings of one call of `train`."""

    def __init__(self, trainer: object) -> None:
        self._trainer = trainer if isinstance(trainer, _Judged) else None
        self._given: set[str] = set()

    def new(self) -> list[str]:
        """The sentences about the latest iteration whose kind was not given before."""
        if self._trainer is None:
            return []
        figures = json.loads(self._trainer.metrics_json())
        found = {kind: text for kind, text in figures.get("warnings", {}).items() if kind not in self._given}
        self._given |= set(found)
        return [f"iteration {figures['iteration']}: {text}" for text in found.values()]

    @staticmethod
    def give(sentences: list[str]) -> None:
        """Gives them as `LearningWarning`."""
        for sentence in sentences:
            warn(sentence, LearningWarning)
