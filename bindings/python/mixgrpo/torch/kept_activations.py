"""Activations of a rollout, kept for the update's first minibatch: its weights are still those of the rollout."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from .._arrays import FloatArray
from ..request import VelocityRequest

Backpropagate = Callable[[torch.Tensor, FloatArray], None]
"""Carries dL/dvelocity back through a velocity, both (B, *latent_shape)."""


class _Call:
    """One call of the model: its velocity with the activations behind it, and the gradient that has arrived for it."""

    def __init__(self, velocity: torch.Tensor, values: FloatArray) -> None:
        self.velocity = velocity
        self.values = values  # (B, *latent_shape)
        self.gradient = np.zeros_like(self.values)
        self.arrived: set[int] = set()

    @property
    def is_complete(self) -> bool:
        return len(self.arrived) == len(self.values)


class KeptActivations:
    """Keeps whole calls of the model whose latents are all in the update's first minibatch, until `capacity` latents are
    kept. The update then needs no forward for them, and their first ratio is exactly 1 whatever the batch.

    A call is backpropagated once, when dL/dvelocity has arrived for all its latents, or for the last time before the
    optimizer step. Values are those without keeping; gradients are the same sum in another order.

    `first_members`: of each group, in the first minibatch. `weights`: what is trained; calls are not used once one of
    them has changed.
    """

    def __init__(
        self, capacity: int, *, group_size: int, first_members: int, weights: Callable[[], Sequence[torch.Tensor]]
    ) -> None:
        self._capacity = capacity
        self._group_size = group_size
        self._first_members = first_members
        self._weights = weights
        self._is_open = False
        self._room = 0
        self._state: list[tuple[int, int]] = []
        self._places: dict[tuple[int, int], tuple[_Call, int]] = {}  # (sample, step) → call and row

    def begin(self, *, is_alone: bool) -> None:
        """A rollout begins. Nothing is kept of one of several."""
        self.drop()
        self._is_open = is_alone and self._capacity > 0
        self._room = self._capacity
        self._state = self._state_of_weights() if self._is_open else []

    def end(self) -> None:
        """The rollout is over."""
        self._is_open = False

    def drop(self) -> None:
        """Frees everything."""
        self._places.clear()

    def wants(self, request: VelocityRequest, rows: int) -> bool:
        """Whether the answer to a request, computed in a batch of `rows` latents, is to be kept."""
        if not (self._is_open and request.is_trained and rows <= self._room):
            return False
        return bool(np.all(request.sample % self._group_size < self._first_members))

    def keep(self, places: Sequence[tuple[int, int]], velocity: torch.Tensor, values: FloatArray, rows: int) -> None:
        """Keeps a velocity (B, *latent_shape) of the latents at these places, and its values."""
        if not velocity.requires_grad:
            return
        call = _Call(velocity, values)
        self._places.update({place: (call, row) for row, place in enumerate(places)})
        self._room -= rows

    def rows_of(self, request: VelocityRequest) -> list[int]:
        """The rows of an update's request that are kept."""
        if self._places and self._state != self._state_of_weights():
            self.drop()
        return [row for row, place in enumerate(places_of(request)) if place in self._places]

    def values(self, request: VelocityRequest, rows: Sequence[int]) -> FloatArray:
        """The velocities of kept rows, (rows, *latent_shape)."""
        places = places_of(request)
        found = [self._places[places[row]] for row in rows]
        return np.stack([call.values[place] for call, place in found])

    def take_gradient(
        self, places: Sequence[tuple[int, int]], d_velocity: FloatArray, backpropagate: Backpropagate
    ) -> None:
        """dL/dvelocity, (rows, *latent_shape), of kept latents; calls that have all of theirs are backpropagated."""
        for place, gradient in zip(places, d_velocity, strict=True):
            call, row = self._places.pop(place)
            call.gradient[row] = gradient
            call.arrived.add(row)
            if call.is_complete:
                backpropagate(call.velocity, call.gradient)

    def finish(self, backpropagate: Backpropagate) -> None:
        """Before an optimizer step: backpropagates calls of which some latents were left out, and frees the rest."""
        waiting = {id(call): call for call, _ in self._places.values() if call.arrived}
        self.drop()
        for call in waiting.values():
            backpropagate(call.velocity, call.gradient)

    def forget_gradients(self) -> None:
        """Gradients are zeroed: frees calls of which some have arrived."""
        used = [place for place, (call, _) in self._places.items() if call.arrived]
        for place in used:
            del self._places[place]

    def _state_of_weights(self) -> list[tuple[int, int]]:
        return [(weight.data_ptr(), weight._version) for weight in self._weights()]


def places_of(request: VelocityRequest) -> list[tuple[int, int]]:
    """(sample, step) of each latent of a request."""
    return list(zip(request.sample.tolist(), request.step.tolist(), strict=True))
