"""What the functions that draw deterministic samples take."""

import ctypes
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from . import _abi
from ._arguments import instance
from ._arrays import FloatArray, IntegerArray, integers, optional_floats, pointer, size
from ._structs import to_struct
from .configurations import SampleConfig


@dataclass(frozen=True)
class SampleCall:
    """Checked arguments of a call."""

    shape: tuple[int, ...]
    """(P, S, *latent_shape)"""
    index: IntegerArray
    """(P)"""
    noise: FloatArray | None
    """The host's own, of the samples' shape."""
    arguments: tuple[Any, ...]
    """Of the C function, from the configuration to the size of the noise."""


def sample_call(
    prompt_indices: ArrayLike, config: SampleConfig, latent_shape: tuple[int, ...], initial_noise: ArrayLike | None
) -> SampleCall:
    """Raises `InvalidArgumentError` naming what does not fit."""
    struct = to_struct(_abi.SampleConfig, instance(config, SampleConfig, "config"))
    index = integers(prompt_indices, "prompt_indices").reshape(-1)
    shape = (len(index), config.samples_per_prompt, *latent_shape)
    noise = optional_floats(initial_noise, shape, "initial_noise")
    arguments = ctypes.byref(struct), pointer(index), len(index), pointer(noise), size(noise)
    return SampleCall(shape, index, noise, arguments)
