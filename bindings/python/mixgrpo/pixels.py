"""Pixels as tokens and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _arrays
from ._arguments import whole
from ._arrays import ByteArray, FloatArray, floats, output, pointer
from ._library import call
from .errors import InvalidArgumentError


@dataclass(frozen=True)
class PixelCodec:
    """Images of one size as latents. A token is one square patch of patch**2 pixels, its channels in the order (row,
    column, colour): C = 3 * patch**2 channels, N = (height / patch) * (width / patch) tokens. A byte u is the value u /
    127.5 - 1 in [-1, 1]; a value is clipped to [-1, 1] and rounded to the nearest byte, so that bytes survive the way
    there and back.

    `height`, `width`: multiples of `patch` (at least 1), 1…65535.
    """

    height: int
    width: int
    patch: int

    def __post_init__(self) -> None:
        for name in ("height", "width", "patch"):
            whole(getattr(self, name), name, 1, 65535)
        if self.height % self.patch or self.width % self.patch:
            size = f"{self.height} x {self.width}"
            raise InvalidArgumentError(f"patch: expected a divisor of {size}, got {self.patch}")

    @property
    def tokens(self) -> int:
        """N."""
        return (self.height // self.patch) * (self.width // self.patch)

    @property
    def channels(self) -> int:
        """C."""
        return 3 * self.patch**2

    def decode(self, latents: ArrayLike, *, out: ByteArray | None = None) -> ByteArray:
        """Images (…, height, width, 3) of latents (…, N, C). Raises `NotFiniteError` for a NaN or infinite latent."""
        values = floats(latents, "latents")
        lead = _leading(values.shape, (self.tokens, self.channels), "latents")
        out = output(out, (*lead, self.height, self.width, 3), np.uint8)
        self._convert("mixgrpo_pixels_decode", values, int(np.prod(lead)), out)
        return out

    def encode(self, pixels: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Latents (…, N, C) of images, uint8 (…, height, width, 3)."""
        values = _arrays.pixels(pixels, "pixels")
        lead = _leading(values.shape, (self.height, self.width, 3), "pixels")
        out = output(out, (*lead, self.tokens, self.channels), np.float32)
        self._convert("mixgrpo_pixels_encode", values, int(np.prod(lead)), out)
        return out

    def _convert(self, function: str, values: NDArray[Any], count: int, out: NDArray[Any]) -> None:
        sizes = self.height, self.width, self.patch
        call(function, pointer(values), values.size, count, *sizes, pointer(out), out.size)


def _leading(got: tuple[int, ...], expected: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The dimensions before those of one image."""
    if got[-len(expected) :] != expected:
        raise InvalidArgumentError(f"{name}: expected shape (…, {', '.join(map(str, expected))}), got {got}")
    return got[: -len(expected)]
