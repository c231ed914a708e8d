"""What `train` takes, by name."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from numpy.typing import ArrayLike

from .._arrays import ByteArray, FloatArray
from ..results import EvaluationResult, Metrics

Reward: TypeAlias = Callable[[ByteArray, Sequence[str]], ArrayLike]
"""Scores B images, uint8 (B, height, width, 3), of B prompts: (B) numbers, NaN for one that failed."""

Decoder: TypeAlias = Callable[[FloatArray], ByteArray]
"""Makes images (B, height, width, 3) of B samples (B, N, C), such as `PixelCodec(32, 32, patch=4).decode`."""

PromptChoice: TypeAlias = Callable[[int], Sequence[int]]
"""Iteration → indices of the prompts that it trains on."""

IterationReceiver: TypeAlias = Callable[[Metrics], object]
"""Receives the figures of an iteration."""

EvaluationReceiver: TypeAlias = Callable[[EvaluationResult, Mapping[str, float]], object]
"""Receives the figures of an evaluation and the mean of each reward by name."""

FilePath: TypeAlias = str | os.PathLike[str]
"""A file or folder."""

Keeper: TypeAlias = FilePath | Callable[[], object]
"""Where the best model is saved: a folder, or a function that saves the current model."""


class Trainable(Protocol):
    """What `train` needs of a trainer: `Trainer` has it, and so has `mixgrpo.torch.TorchTrainer`."""

    reward_names: tuple[str, ...]

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    @property
    def lines(self) -> Sequence[str] | None:
        """The prompts' words."""

    def rollout(self, prompt_indices: ArrayLike, /) -> FloatArray:
        """Samples a group for each prompt, (P, G, …)."""

    def update(self, rewards: Mapping[str, ArrayLike], *, weights: Mapping[str, float] | None = None) -> Metrics:
        """Trains on the latest rollout."""
