"""A trainer whose model the host owns: it asks the host for velocities, backward passes and steps."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arrays import FloatArray, optional_floats, output, pointer, size
from ._library import call, library
from .any_trainer import AnyTrainer
from .context import Context
from .enums import RequestKind, Status
from .errors import MixGRPOError, status_of, text_of
from .ranks import ALONE, JointFailure, Ranks
from .request import VelocityRequest, answer_to, next_request


class ModelOwner(AnyTrainer):
    """A trainer that asks the host to evaluate and to train its model."""

    ranks: Ranks = ALONE
    """The processes that train the model together. With several of them every call is made on all ranks, with the prompts
    of all; samples and rewards are those of this rank's share, `share(prompt_indices)`, which may be empty."""

    context: Context
    latent_shape: tuple[int, ...]
    _requested = 0
    """Latents of the current request."""
    _gives_gradient = False

    # What a subclass implements

    @abstractmethod
    def evaluate(self, request: VelocityRequest) -> None:
        """Evaluates `request.weights` without gradients and calls `submit`."""

    @abstractmethod
    def differentiate(self, request: VelocityRequest) -> None:
        """Evaluates the trained model (and the reference when the request needs it), calls `submit`, and
        backpropagates what that returns: gradients add up."""

    @abstractmethod
    def step(self, request: VelocityRequest) -> tuple[float, float]:
        """Steps the optimizer at its rate times `request.rate_factor` and zeroes the gradients. Returns their norm
        before the clip, and the rate."""

    @abstractmethod
    def keep_state(self) -> None:
        """Copies everything that `step` changes."""

    @abstractmethod
    def restore_state(self) -> None:
        """Restores the copy."""

    @abstractmethod
    def zero_gradients(self) -> None:
        """Discards the gradients added up so far."""

    def submit(self, velocity: ArrayLike, *, reference_velocity: ArrayLike | None = None) -> FloatArray | None:
        """Answers the current request with the velocity, (B, D), or its rows split up. Returns dL/dvelocity, of the
        same shape, when the request needs a gradient.

        Raises `NotFiniteError` for a NaN or infinite value, `DivergedError` when an update changed the model too much. The
        request then still stands.
        """
        answer = answer_to(self._requested, velocity, prod(self.latent_shape), "velocity")
        reference = optional_floats(reference_velocity, answer.shape, "reference_velocity")
        d_velocity: FloatArray | None = None
        if self._gives_gradient:
            d_velocity = self._gradient_array(answer.shape)
        self.context.run(
            "mixgrpo_trainer_submit",
            self.handle,
            pointer(answer),
            pointer(reference),
            answer.size,
            pointer(d_velocity),
            size(d_velocity),
        )
        return d_velocity

    def _gradient_array(self, shape: tuple[int, ...]) -> FloatArray:
        """Where the library writes dL/dvelocity."""
        array: FloatArray = output(None, shape, np.float32)
        return array

    # The loop

    def _answer_all(self) -> None:
        """Answers until everything is finished or undone; raises what went wrong, here or on another rank."""
        with self.ranks.uninterrupted():
            failure: BaseException | None = None
            while True:
                try:
                    request = next_request("mixgrpo_trainer_next", self, self.context.run)
                    if request is None:
                        self.ranks.agree()
                        return
                    self._answer(request)
                except JointFailure as joint:
                    failure = joint.error
                    if joint.cause is None or not self._fail(joint.cause):
                        raise failure from None
                except BaseException as error:
                    if not self._fail(error):
                        raise _raised(failure, error) from None
                    agreed = self.ranks.agree_on_failure(error)
                    failure = agreed.error
                    if agreed.cause is not None:
                        self._fail(agreed.cause)

    def _answer(self, request: VelocityRequest) -> None:
        self._requested, self._gives_gradient = len(request), request.needs_gradient
        if request.kind is RequestKind.EVALUATE:
            self.ranks.raise_interrupt()
            (self.differentiate if request.needs_gradient else self.evaluate)(request)
        elif request.kind is RequestKind.OPTIMIZER_STEP:
            self.ranks.agree()
            norm, rate = self.step(request)
            self.ranks.agree()
            call("mixgrpo_trainer_submit_step", self.handle, norm, rate)
        elif request.kind is RequestKind.KEEP_STATE:
            self.keep_state()
        elif request.kind is RequestKind.COMBINE_FIGURES:
            self._combine_figures()
        else:
            self._undo(self.restore_state if request.kind is RequestKind.RESTORE_STATE else self.zero_gradients)

    def _undo(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.ranks.leave(error)
            raise

    def _combine_figures(self) -> None:
        self.ranks.agree()
        own = np.empty(_abi.FIGURE_COUNT)
        call("mixgrpo_trainer_get_figures", self.handle, pointer(own), own.size)
        figures = np.ascontiguousarray(self.ranks.gather(own))
        call("mixgrpo_trainer_submit_figures", self.handle, pointer(figures), figures.size)

    def _begin_update(self, function: str, *arguments: Any) -> None:
        """Begins an update on all ranks, or on none."""
        try:
            self.ranks.together(lambda: call(function, self.handle, *arguments))
        except BaseException as error:
            if self.ranks.count > 1 and self._fail(error):  # begun here, but not on all ranks
                with contextlib.suppress(MixGRPOError):
                    while next_request("mixgrpo_trainer_next", self, self.context.run) is not None:
                        pass
            raise

    def _fail(self, error: BaseException) -> bool:
        """Reports a failure to the library. Returns whether requests follow: to undo the update, or to continue as the
        fault policy says."""
        message = text_of(error).replace("\0", " ").encode(errors="replace")
        return bool(library.mixgrpo_trainer_fail(self.handle, status_of(error), message) == Status.OK)


def _raised(failure: BaseException | None, error: BaseException) -> BaseException:
    """What the caller gets: the failure itself, or the library's error about it, which says more. A lost rank stays one."""
    is_of_library = isinstance(failure, MixGRPOError) and isinstance(error, MixGRPOError)
    return error if failure is None or is_of_library and not isinstance(failure, ConnectionError) else failure
