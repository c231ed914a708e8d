"""Sampling of one iteration as a state machine that asks for velocities."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import instance
from ._arrays import DoubleArray, FloatArray, floats, integers, output, pointer, size
from ._handle import Object
from ._library import create, library
from ._shapes import ShownByShape
from ._structs import to_struct
from .context import Context, given_context
from .errors import InvalidArgumentError, InvalidStateError
from .evaluator import Evaluator
from .plan import SCHEDULED_WINDOW, Plan
from .prompts import Prompts
from .request import VelocityRequest, answer_to, next_request


@dataclass(frozen=True, repr=False)
class StoredStep(ShownByShape):
    """What was stored of one trained step."""

    latents: FloatArray
    """Before the step, (P, G, D)."""
    next_latents: FloatArray
    """After it, (P, G, D)."""
    log_probabilities: DoubleArray
    """Of the transitions, (P, G), in nats, reduced as `log_probability` says."""


class Rollout(Object):
    """The sampling of one iteration, all P prompts and G members in flight together. Any model may answer:

        for request in rollout:
            rollout.submit(velocity(request.latents, request.sigmas, request.prompt_index))
        samples = rollout.samples()

    or `rollout.run(evaluator, prompts)` with the built-in model.

    `prompt_ids`: (P), distinct, each 0 or more: host-defined prompt ids, returned in each request as `prompt_index`.
    They key the random numbers, so processes may share the prompts of an iteration.
    `latent_size`: D, values in one latent. `iteration`: selects the window and keys the random numbers.
    `window_start`: l, needed with `WindowMode.GIVEN`; by default the window that the plan schedules.
    `max_batch`: most latents in one request, 0 for no limit; changes no result.
    `initial_noise`: the host's noise, (P, D), one for each group, or (P, G, D); drawn by the library by default.
    """

    _destroy = "mixgrpo_rollout_destroy"

    def __init__(
        self,
        plan: Plan,
        prompt_ids: ArrayLike,
        *,
        latent_size: int,
        iteration: int = 0,
        window_start: int = SCHEDULED_WINDOW,
        max_batch: int = 0,
        initial_noise: ArrayLike | None = None,
        context: Context | None = None,
    ) -> None:
        which = dict(window_start=window_start, iteration=iteration, latent_size=latent_size, max_batch=max_batch)
        indices = integers(prompt_ids, "prompt_ids").reshape(-1)
        groups = (len(indices), instance(plan, Plan, "plan").config.group_size)
        noise = None if initial_noise is None else _group_noise(initial_noise, groups, latent_size)
        self.context = given_context(context)
        self.plan = plan
        self.iteration = iteration
        self.window_start = window_start
        self.latent_size = latent_size
        self.prompt_count = len(indices)
        self._requested = 0  # latents of the current request
        self._submits = 0
        self._adopt(
            create(
                "mixgrpo_rollout_create",
                self.context.handle,
                plan.handle,
                ctypes.byref(to_struct(_abi.RolloutConfig, which)),
                pointer(indices),
                len(indices),
                pointer(noise),
                size(noise),
            )
        )

    def __iter__(self) -> Iterator[VelocityRequest]:
        """Requests, each of which must be submitted before the next. A new loop continues where the last one
        stopped."""
        while (request := self.request()) is not None:
            submits = self._submits
            yield request
            if self._submits == submits:
                raise InvalidStateError("submit: expected an answer to the request before the next, got none")

    def request(self) -> VelocityRequest | None:
        """The latents to evaluate now, None when nothing is left. A second call before the submit gives the same
        request."""
        request = next_request("mixgrpo_rollout_next", self, self.context.run)
        self._requested = 0 if request is None else len(request)
        return request

    def submit(self, velocity: ArrayLike) -> None:
        """Answers the current request with the velocity, (B, D), or its rows split up.

        Raises `InvalidStateError` without a request; `NotFiniteError` for a NaN or infinite velocity. After these the request
        still stands.
        `NotFiniteError` also when a latent overflows, which ends the rollout.
        """
        answer = answer_to(self._requested, velocity, self.latent_size, "velocity")
        self.context.run("mixgrpo_rollout_submit", self.handle, pointer(answer), answer.size)
        self._requested = 0
        self._submits += 1

    def run(self, evaluator: Evaluator, prompts: Prompts) -> None:
        """Answers all remaining requests with the built-in model.

        On `CancelledError` or an error the rollout stands at the request that was not answered, and the call may be
        repeated.
        """
        self.context.run("mixgrpo_rollout_run", self.handle, *_answerers(evaluator, prompts))

    def samples(self, out: FloatArray | None = None) -> FloatArray:
        """The finished samples at sigma = 0, (P, G, D). Raises `InvalidStateError` before the rollout is finished."""
        out = output(out, self._shape, np.float32)
        self.context.run("mixgrpo_rollout_get_samples", self.handle, pointer(out), out.size)
        return out

    def stored_step(self, index: int) -> StoredStep:
        """What was stored of trained step `index`, 0…trained_step_count - 1. Raises `InvalidStateError` before the rollout
        is finished."""
        before, after = np.empty(self._shape, np.float32), np.empty(self._shape, np.float32)
        log_probabilities = np.empty(self._shape[:2], np.float64)
        self.context.run(
            "mixgrpo_rollout_get_step",
            self.handle,
            index,
            pointer(before),
            before.size,
            pointer(after),
            after.size,
            pointer(log_probabilities),
            log_probabilities.size,
        )
        return StoredStep(before, after, log_probabilities)

    def _state(self) -> str:
        return f"iteration {self.iteration}, samples {self._shape}, model calls {self.model_calls}"

    @property
    def model_calls(self) -> int:
        """Latents evaluated so far."""
        return int(library.mixgrpo_rollout_model_calls(self.handle))

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.prompt_count, self.plan.config.group_size, self.latent_size


def _answerers(evaluator: Evaluator, prompts: Prompts) -> tuple[int, int]:
    return instance(evaluator, Evaluator, "evaluator").handle, instance(prompts, Prompts, "prompts").handle


def _group_noise(noise: ArrayLike, groups: tuple[int, int], latent_size: int) -> FloatArray:
    """One noise for each group, (P, D), or for each sample, (P, G, D); rows may be split up."""
    array = floats(noise, "initial_noise")
    prompts, members = groups
    shared = array.shape[:1] == (prompts,) and array.size == prompts * latent_size
    own = array.shape[:2] == groups and array.size == prompts * members * latent_size
    if not (shared or own):
        expected = f"{(prompts, latent_size)} or {(prompts, members, latent_size)}"
        raise InvalidArgumentError(f"initial_noise: expected shape {expected}, got {array.shape}")
    return array
