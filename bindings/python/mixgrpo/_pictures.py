"""Pictures and prompts on their way into a reward."""

from collections.abc import Sequence

import numpy as np

from . import _arrays
from ._arguments import short
from ._arrays import ByteArray
from .errors import InvalidArgumentError


def pictures_of(images: ByteArray, prompts: Sequence[str]) -> ByteArray:
    """The images themselves, uint8 (B, height, width, 3), with as many prompts. Raises `InvalidArgumentError`."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or isinstance(prompts, str):
        raise InvalidArgumentError(
            f"images, prompts: expected (B, height, width, 3) and B texts, got shape {images.shape} and {short(prompts)}"
        )
    if len(images) != len(prompts):
        raise InvalidArgumentError(f"prompts: expected {len(images)}, one for each picture, got {len(prompts)}")
    for index, prompt in enumerate(prompts):
        if not isinstance(prompt, str):
            raise InvalidArgumentError(f"prompts[{index}]: expected text, got {short(prompt)}")
        if any("\ud800" <= character <= "\udfff" for character in prompt):
            raise InvalidArgumentError(f"prompts[{index}]: expected text, got a lone surrogate in {prompt[:80]!a}")
    return _arrays.pixels(images, "images")
