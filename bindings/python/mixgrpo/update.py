"""Policy gradients of one iteration: the training on one rollout as a state machine."""

import ctypes
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import instance
from ._arrays import FloatArray, doubles, optional_floats, output, pointer, shaped
from ._handle import Object
from ._library import create
from ._structs import read_struct, to_struct
from .configurations import LearningConfig
from .errors import InvalidStateError
from .evaluator import Evaluator
from .group_advantages import Advantages
from .optimizer import Optimizer
from .prompts import Prompts
from .request import VelocityRequest, answer_to, next_request
from .results import OptimizerReport, UpdateStatistics
from .rollout import Rollout


class Update(Object):
    """The training on one finished rollout: it asks for velocities and answers with dL/dvelocity.

        for request in update:
            if request.is_optimizer_step:
                optimizer.step()
            else:
                velocity = model(request.latents, request.sigmas, request.prompt_index)
                velocity.backward(update.submit(velocity))

    or `update.run(evaluator, prompts, optimizer)` with the built-in model.

    `advantages`: of the rollout's P groups of G samples, as `advantages` gives them, or plain values (P, G) with all
    included. `max_batch`: most latents in one request, 0 for no limit.

    Raises `InvalidStateError` when the rollout is not finished.
    """

    _destroy = "mixgrpo_update_destroy"

    def __init__(
        self,
        rollout: Rollout,
        advantages: Advantages | ArrayLike,
        config: LearningConfig = LearningConfig(),
        *,
        max_batch: int = 0,
    ) -> None:
        instance(rollout, Rollout, "rollout")
        groups = (rollout.prompt_count, rollout.plan.config.group_size)
        included = None
        if isinstance(advantages, Advantages):
            included = shaped(np.ascontiguousarray(advantages.included, np.uint8), groups, "included")
            advantages = advantages.values
        values = shaped(doubles(advantages, "advantages"), groups, "advantages")
        self.config = instance(config, LearningConfig, "config")
        self.context = rollout.context
        self.latent_size = rollout.latent_size
        self._groups = groups
        self._requested = 0  # latents of the current request
        self._submits = 0
        struct = to_struct(_abi.LearningConfig, self.config)
        self._adopt(
            create(
                "mixgrpo_update_create",
                rollout.handle,
                ctypes.byref(struct),
                pointer(values),
                pointer(included),
                values.size,
                max_batch,
            )
        )

    def _state(self) -> str:
        return f"samples {self._groups}, latents of {self.latent_size}, optimizer steps {self.statistics().optimizer_steps}"

    def __iter__(self) -> Iterator[VelocityRequest]:
        """Requests: evaluations, each of which must be submitted before the next, and optimizer steps, which count
        as done when the next request is taken. A new loop continues where the last one stopped."""
        while (request := self.request()) is not None:
            submits = self._submits
            yield request
            if self._submits == submits and not request.is_optimizer_step:
                raise InvalidStateError("submit: expected an answer to the request before the next, got none")

    def request(self) -> VelocityRequest | None:
        """The next thing to do, None when nothing is left. A second call before the submit gives the same request."""
        request = next_request("mixgrpo_update_next", self, self.context.run)
        self._requested = 0 if request is None else len(request)
        return request

    def submit(
        self, velocity: ArrayLike, *, reference_velocity: ArrayLike | None = None, out: FloatArray | None = None
    ) -> FloatArray:
        """Answers an evaluation and returns dL/dvelocity, in the shape of `velocity`, to be backpropagated through the
        host's model and accumulated until the next optimizer step (already scaled: gradients only add).

        `velocity`: (B, D), or its rows split up, of the model in training; `reference_velocity`: of the frozen
        reference when the request needs it. Raises as `Rollout.submit`.
        """
        answer = answer_to(self._requested, velocity, self.latent_size, "velocity")
        reference = optional_floats(reference_velocity, answer.shape, "reference_velocity")
        d_velocity: FloatArray = output(out, answer.shape, np.float32, apart_from=(answer, reference))
        self.context.run(
            "mixgrpo_update_submit",
            self.handle,
            pointer(answer),
            pointer(reference),
            answer.size,
            pointer(d_velocity),
            d_velocity.size,
        )
        self._requested = 0
        self._submits += 1
        return d_velocity

    def run(
        self, evaluator: Evaluator, prompts: Prompts, optimizer: Optimizer, *, reference: Evaluator | None = None
    ) -> OptimizerReport:
        """Answers all requests with the built-in model, in batches that the evaluator allows, and steps `optimizer`.

        `reference`: an evaluator of a frozen copy, needed when `config.kl_reference` is above 0. Gradients must be 0 at
        the start and are 0 at the end. The report is of the last step, its gradient norm the mean over this run's
        steps. On `CancelledError` or an error the model and the optimizer are as before, the update is back at its start,
        and the call may be repeated. With `Undo.NONE` in the update's configuration the finished optimizer steps stay,
        the message says how many, and a repeated call does the rest.
        """
        return read_struct(
            OptimizerReport,
            "mixgrpo_update_run",
            self.handle,
            instance(evaluator, Evaluator, "evaluator").handle,
            instance(prompts, Prompts, "prompts").handle,
            instance(optimizer, Optimizer, "optimizer").handle,
            None if reference is None else instance(reference, Evaluator, "reference").handle,
            run=self.context.run,
        )

    def statistics(self) -> UpdateStatistics:
        """The figures so far."""
        return read_struct(UpdateStatistics, "mixgrpo_update_get_statistics", self.handle)
