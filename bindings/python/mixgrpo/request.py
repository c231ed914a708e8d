"""Requests of a rollout, an update or a trainer."""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arrays import FloatArray, IntegerArray, floats, rows, view
from ._shapes import ShownByShape
from .enums import RequestKind, Weights


@dataclass(frozen=True, repr=False)
class VelocityRequest(ShownByShape):
    """Latents at which the host evaluates its model, or another step of the iteration, such as an optimizer step.

    The arrays are read-only views of the library's memory. They are valid until the answer is submitted; those of an
    update until the next request is taken, so a backward may read them. Copy what must last longer.
    """

    kind: RequestKind
    minibatch: int
    """Update: index of the minibatch, 0…updates_per_iteration - 1; rollout: 0."""
    needs_reference: bool
    """Update: also evaluate the frozen reference, for the KL term."""
    latents: FloatArray
    """(B, D)"""
    sigmas: FloatArray
    """(B), the noise level of each latent."""
    prompt_index: IntegerArray
    """(B), prompt ids as given to the rollout."""
    sample: IntegerArray
    """(B), the first sample (prompt's place * G + member) of the latent; members share a latent while they are
    equal."""
    step: IntegerArray
    """(B), the step in the iteration's plan; one for all in a rollout."""
    needs_gradient: bool
    """Update: the submit returns dL/dvelocity, to be backpropagated through the model."""
    weights: Weights
    """Weights to evaluate: TRAINED, except for a trainer's deterministic samples."""
    is_trained: bool
    """Whether the update evaluates these latents (again)."""
    completes_minibatch: bool
    """Update: the last request before the optimizer step."""
    rate_factor: float
    """OPTIMIZER_STEP of a trainer: multiplies the learning rate of this step; below 1 after roll-backs."""

    def __len__(self) -> int:
        """B, the latents to evaluate; 0 for OPTIMIZER_STEP."""
        return len(self.sigmas)

    @property
    def is_optimizer_step(self) -> bool:
        """Whether to step the optimizer, in place of evaluating."""
        return self.kind is RequestKind.OPTIMIZER_STEP


def next_request(function: str, owner: Any, call: Any) -> VelocityRequest | None:
    """The current request of a rollout, an update or a trainer, None when nothing is left to do."""
    struct = _abi.VelocityRequest()
    call(function, owner.handle, ctypes.byref(struct))
    if struct.kind == RequestKind.FINISHED:
        return None
    count = struct.count
    return VelocityRequest(
        kind=RequestKind(struct.kind),
        minibatch=struct.minibatch,
        needs_reference=bool(struct.needs_reference),
        latents=view(struct.latents, (count, struct.latent_size), np.float32, owner),
        sigmas=view(struct.sigmas, (count,), np.float32, owner),
        prompt_index=view(struct.prompt_index, (count,), np.int32, owner),
        sample=view(struct.sample, (count,), np.int32, owner),
        step=view(struct.step, (count,), np.int32, owner),
        needs_gradient=bool(struct.needs_gradient),
        weights=Weights(struct.weights),
        is_trained=bool(struct.is_trained),
        completes_minibatch=bool(struct.completes_minibatch),
        rate_factor=struct.rate_factor,
    )


def answer_to(requested: int, velocity: ArrayLike, latent_size: int, name: str) -> FloatArray:
    """The rows that answer a request for `requested` latents. Without a request the library raises the error."""
    return rows(velocity, requested, latent_size, name) if requested else floats(velocity, name)
