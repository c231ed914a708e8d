"""What rewards share whose models run in this process."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from .._arguments import whole
from .._arrays import ByteArray, DoubleArray
from .._pictures import pictures_of
from ..errors import InvalidArgumentError, NotFiniteError

MOST_TEXTS = 65536
"""Texts whose features are kept."""


class LocalReward(ABC):
    """Scores pictures in batches on a device. May be called on several threads; the calls take turns."""

    def __init__(self, device: torch.device | str | None, dtype: torch.dtype, batch_size: int) -> None:
        if not dtype.is_floating_point:
            raise InvalidArgumentError(f"dtype: expected a floating-point type, got {dtype}")
        default = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(default if device is None else device)
        self.dtype = dtype
        self.batch_size = whole(batch_size, "batch_size", 1)
        self._turns = threading.Lock()

    def __call__(self, images: ByteArray, prompts: Sequence[str]) -> DoubleArray:
        """Scores B images, uint8 (B, height, width, 3), of B prompts: (B). Raises `NotFiniteError` when the model gives NaN
        or infinity."""
        images = pictures_of(images, prompts)
        size = self.batch_size
        with self._turns, torch.no_grad():
            starts = range(0, len(images), size)
            pieces = [self.scores(images[at : at + size], prompts[at : at + size]).double() for at in starts]
            scores = torch.cat(pieces).cpu().numpy() if pieces else np.empty(0)
        if not np.isfinite(scores).all():
            raise NotFiniteError(
                f"{type(self).__name__}: expected finite scores, got NaN or infinity in {self.dtype}; in half precision "
                "try dtype=torch.float32"
            )
        return scores

    @abstractmethod
    def scores(self, images: ByteArray, prompts: Sequence[str]) -> torch.Tensor:
        """The scores of one batch, (B), without gradient."""

    def ready(self, module: Any) -> Any:
        """A module on the device, frozen, in evaluation mode."""
        return module.to(device=self.device, dtype=self.dtype).requires_grad_(False).eval()


class TextCache:
    """Features by text, computed once for each; the oldest leave when there are too many."""

    def __init__(self, compute: Callable[[list[str]], torch.Tensor]) -> None:
        self._compute = compute
        self._kept: dict[str, torch.Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """The features of texts, one row each."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, self._compute(new), strict=True))
        rows = torch.stack([self._kept[text] for text in texts])
        for text in list(self._kept)[: max(0, len(self._kept) - MOST_TEXTS)]:
            del self._kept[text]
        return rows
