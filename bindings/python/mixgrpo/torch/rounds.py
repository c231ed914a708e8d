"""Evaluations of a sharded model, in which all ranks take part."""

from collections.abc import Callable
from enum import IntEnum

import torch

from .policy import TorchPolicy
from .ranks import TorchRanks
from .wrappers import Wrappers


class Round(IntEnum):
    """What all ranks evaluate together."""

    VELOCITY = 0
    REFERENCE = 1
    GRADIENT = 2
    GRADIENT_AND_REFERENCE = 3

    @property
    def has_gradient(self) -> bool:
        """Whether it is carried back."""
        return self in (Round.GRADIENT, Round.GRADIENT_AND_REFERENCE)


class Rounds:
    """The evaluations of one rank."""

    def __init__(self, policy: TorchPolicy, ranks: TorchRanks, wrappers: Wrappers) -> None:
        self._policy, self._ranks, self._wrappers = policy, ranks, wrappers
        self.is_submitted = False
        """Whether this rank has answered the request of the present round."""
        ranks.empty_round = self._without_latents

    def evaluate(self, kind: Round, is_last: bool, work: Callable[[], None]) -> None:
        """Does the work of this rank in a round. `is_last`: of its minibatch."""
        exchanges = self._ranks.enter_round(kind, is_last)
        self._wrappers.exchange_in_backward(exchanges)
        self.is_submitted = False
        self._wrappers.begin_round()
        try:
            work()
        except BaseException as error:
            self._complete(kind, exchanges, error)
            raise
        finally:
            self._wrappers.end_round()

    def _complete(self, kind: Round, exchanges: bool, error: BaseException) -> None:
        """After a failure: does what the other ranks wait for in the sharded module, or says that this cannot be done."""
        outputs = self._wrappers.outputs
        if not self._wrappers.has_entered:
            self._without_latents(kind, exchanges)
        elif self._wrappers.is_inside or self.is_submitted:
            self._ranks.leave(error)
        elif kind.has_gradient and outputs:
            torch.autograd.backward(outputs, [torch.zeros_like(output) for output in outputs])
        elif kind.has_gradient:
            self._policy.take_part(gradient=True, velocity=True, reference=False)

    def _without_latents(self, number: int, exchanges: bool) -> None:
        """Takes part in a round of other ranks."""
        kind = Round(number)
        self._wrappers.exchange_in_backward(exchanges)
        self._policy.take_part(
            gradient=kind.has_gradient,
            velocity=kind is not Round.REFERENCE,
            reference=kind in (Round.REFERENCE, Round.GRADIENT_AND_REFERENCE),
        )
