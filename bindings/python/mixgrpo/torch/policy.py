"""A PyTorch model that answers the requests of rollouts and updates."""

import contextlib
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
import torch

from .._arrays import FloatArray
from ..errors import InvalidArgumentError, InvalidStateError
from ..host_trainer import HostTrainer
from ..request import VelocityRequest
from ..rollout import Rollout
from ..update import Update
from .compiled import is_compiled, size_of_batch
from .crossing import crossing_to
from .kept_activations import KeptActivations, places_of
from .shutdown import answering
from .tensors import checked_velocity, filled_up, first_parameter

Velocity: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Gives the velocity dx/dsigma, (B, *latent_shape), of latents (B, *latent_shape), noise levels (B) float32 and prompt
indices (B) int64, all on the policy's device. It must not change its arguments in place."""

TimeGrid: TypeAlias = Callable[[int], Sequence[float]]
"""Gives T + 1 noise levels, strictly decreasing from at most 1 to 0, for T steps."""


class TorchPolicy:
    """A model in PyTorch, on any device and of any type, that the library samples and trains:

        policy = TorchPolicy(velocity, (64, 12))
        rollout = mixgrpo.Rollout(plan, [0, 1], latent_size=policy.latent_size, max_batch=policy.batch_size)
        policy.run(rollout)
        update = mixgrpo.Update(rollout, mixgrpo.advantages(scores), learning, max_batch=policy.batch_size)
        for request in update:
            if request.is_optimizer_step:
                optimizer.step()
                optimizer.zero_grad()
            else:
                policy.backward(update, request)

    or `TorchTrainer`, which does that.

    `velocity`: a module or any function, see `Velocity`. Dropout and batch norm in training mode are refused
    (`module.eval()`), as far as a module shows them: rollout and update would see different models.
    `latent_shape`: of one latent as the model takes it, such as (N, C) or (C, H, W).
    `reference`: the frozen model of the KL term and of hybrid samples; evaluated without gradient.
    `device`, `dtype`: of the latents that the model is given; by default those of a module's first floating-point
    parameter, else float32 on the CPU. Noise levels are float32 always.
    `autocast`: evaluate under `torch.autocast` of this type; a function may as well do so itself.
    `batch_size`: latents in one call of the model, 0 (default) for as many as there are. It bounds the memory of
    activations: gradients of smaller batches add up to the same. Calls whose answer the update will need again are
    filled up to exactly this size, because a model may round a row otherwise in a batch of another size. The first
    ratio is exactly 1 for a deterministic module with `batch_size=1`; otherwise as exactly as the module computes the
    same row at another place of a batch.
    `time_grid`: the noise levels that the model is used with; by default those of the settings. `TorchTrainer` and
    `sample` use it.

    A module that `torch.compile` has made faster is recognised, also one that is compiled block by block
    (`compile_repeated_blocks`). It gets batches of few sizes (`batch_size`, its half, its quarter and so on), and calls
    whose answer the update will need again run with autograd in the rollout too, so that both use one graph.

    Latents cross to a float32 CPU model without a copy, and to others with one in each direction per request, through
    page-locked memory where the device can use it.
    """

    def __init__(
        self,
        velocity: Velocity,
        latent_shape: Sequence[int],
        *,
        reference: Velocity | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        autocast: torch.dtype | None = None,
        batch_size: int = 0,
        time_grid: TimeGrid | None = None,
    ) -> None:
        if not latent_shape or min(latent_shape) < 1:
            raise InvalidArgumentError(f"latent_shape: expected sizes of 1 or more, got {tuple(latent_shape)}")
        if batch_size < 0:
            raise InvalidArgumentError(f"batch_size: expected 0 (no limit) or more, got {batch_size}")
        if dtype is not None and not dtype.is_floating_point:
            raise InvalidArgumentError(f"dtype: expected a floating-point type, got {dtype}")
        example = first_parameter(getattr(velocity, "module", velocity))
        self.velocity = velocity
        self.reference = reference
        self.latent_shape = tuple(latent_shape)
        self.device = torch.device(device) if device is not None else example.device
        self.dtype = dtype or example.dtype
        self.autocast = autocast
        self.batch_size = batch_size
        self.time_grid = time_grid
        self._crossing = crossing_to(self.device)
        self._is_compiled = False

    @property
    def latent_size(self) -> int:
        """D, values in one latent."""
        return prod(self.latent_shape)

    def run(self, rollout: Rollout) -> None:
        """Answers all remaining requests of a rollout.

        After an error the rollout stands at the request that was not answered, and the call may be repeated. Raises
        `InvalidArgumentError` for an answer that is no tensor of the right shape and type, `NotFiniteError` for NaN in it,
        `InvalidStateError` when the model wrote to its latents, which spoils the rollout; and what the model raises.
        """
        self.begin()
        for request in rollout:
            self.answer(rollout, request)

    def begin(self) -> None:
        """Looks at the module before a rollout, an update or a sample: raises as `require_repeatable`, and sees whether it
        is compiled."""
        self.require_repeatable()
        self._is_compiled = is_compiled(self.velocity)

    def require_repeatable(self) -> None:
        """Raises `InvalidArgumentError`, naming the part, when the module answers the same question differently each time:
        with dropout, or with a batch norm that counts, in training mode. New adapters are in training mode, also in a
        module that is not."""
        module = getattr(self.velocity, "module", self.velocity)
        for name, part in module.named_modules() if isinstance(module, torch.nn.Module) else ():
            is_dropout = isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.p > 0
            if part.training and (is_dropout or isinstance(part, torch.nn.modules.batchnorm._BatchNorm)):
                raise InvalidArgumentError(
                    f"{name or 'module'}: expected evaluation mode, so that rollout and update see the same model, got "
                    f"{part} in training mode; call eval() on the model after adapters are added"
                )

    def answer(
        self,
        asker: Rollout | HostTrainer,
        request: VelocityRequest,
        *,
        reference: bool = False,
        kept: KeptActivations | None = None,
    ) -> None:
        """Answers one evaluation without gradient, with the frozen reference if `reference` is true. Raises as
        `run`. `kept`: where activations that the update can use are kept."""
        with answering():
            self._answer(asker, request, reference, kept)

    def gradient_array(self, shape: tuple[int, ...]) -> FloatArray | None:
        """Memory for dL/dvelocity from which it gets to the device fastest; None where any will do."""
        return self._crossing.gradient_array(shape)

    def backward(
        self,
        update: Update | HostTrainer,
        request: VelocityRequest,
        *,
        scaler: "torch.amp.GradScaler | None" = None,
        kept: KeptActivations | None = None,
    ) -> None:
        """Answers one evaluation of an update and backpropagates dL/dvelocity through the model; gradients of the
        parameters add up.

        `scaler`: scales what is carried back, for gradients in float16. `kept`: activations of the rollout. Raises as
        `run`; `InvalidArgumentError` also when the velocity depends on no parameter. Then nothing was submitted, and the
        request may be answered again.
        """
        rows = [] if kept is None else kept.rows_of(request)
        with answering():
            if kept is None or not rows:
                self._backward(update, request, scaler)
            else:
                self._backward_of_kept(update, request, scaler, kept, rows)

    def finish_backward(self, kept: KeptActivations, scaler: "torch.amp.GradScaler | None" = None) -> None:
        """Before an optimizer step: backpropagates what has arrived for kept activations."""
        with answering():
            kept.finish(lambda velocity, d_velocity: self._backpropagate(velocity, d_velocity, scaler))

    def take_part(self, *, gradient: bool, velocity: bool, reference: bool) -> None:
        """Evaluates one latent of zeros, for a sharded module whose evaluations need all ranks at once, and carries a
        gradient of zeros back."""
        with answering():
            self._take_part(gradient, velocity, reference)

    def evaluate(
        self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor, *, reference: bool = False
    ) -> torch.Tensor:
        """The velocity without gradient, (B, *latent_shape), on the policy's device and in batches of its size."""
        function = self._reference() if reference else self.velocity
        with answering(), torch.no_grad():
            return self._in_batches(function, latents, sigmas, prompt_index, rows=0)

    def _answer(
        self, asker: Rollout | HostTrainer, request: VelocityRequest, reference: bool, kept: KeptActivations | None
    ) -> None:
        function = self._reference() if reference else self.velocity
        rows = self.batch_size if request.is_trained else 0
        keeps = kept is not None and not reference and kept.wants(request, max(len(request), rows))
        has_graph = keeps or (self._is_compiled and request.is_trained and not reference)
        places = places_of(request) if keeps else []
        with torch.set_grad_enabled(has_graph):
            velocity = self._evaluate(function, request, rows, lasts=keeps)
            values = self._crossing.array(velocity)
            asker.submit(values)
        if kept is not None and keeps:
            kept.keep(places, velocity, values, max(len(places), rows))

    def _take_part(self, gradient: bool, velocity: bool, reference: bool) -> None:
        latents = torch.zeros(1, *self.latent_shape)
        sigmas, prompts = torch.full((1,), 0.5), torch.zeros(1, dtype=torch.int64)
        if reference:
            with torch.no_grad():
                self._in_batches(self._reference(), latents, sigmas, prompts, rows=0)
        if velocity:
            with torch.set_grad_enabled(gradient):
                answer = self._in_batches(self.velocity, latents, sigmas, prompts, rows=0)
            if gradient:
                torch.autograd.backward(answer, torch.zeros_like(answer))

    def _backward(
        self, update: Update | HostTrainer, request: VelocityRequest, scaler: "torch.amp.GradScaler | None"
    ) -> None:
        reference = self._reference_velocity(request)
        velocity = self._followed_velocity(request)
        d_velocity = _gradient_from(update, self._crossing.array(velocity), reference)
        self._backpropagate(velocity, d_velocity, scaler)

    def _backward_of_kept(
        self,
        update: Update | HostTrainer,
        request: VelocityRequest,
        scaler: "torch.amp.GradScaler | None",
        kept: KeptActivations,
        rows: list[int],
    ) -> None:
        """The same for a request of which these rows are kept; the others are evaluated."""
        reference = self._reference_velocity(request)
        others = [row for row in range(len(request)) if row not in rows]
        values = np.empty((len(request), *self.latent_shape), np.float32)
        values[rows] = kept.values(request, rows)
        velocity = self._followed_velocity(request, others) if others else None
        if velocity is not None:
            values[others] = self._crossing.array(velocity)
        places = places_of(request)
        d_velocity = _gradient_from(update, values, reference)
        if velocity is not None:
            self._backpropagate(velocity, d_velocity[others], scaler)
        kept.take_gradient(
            [places[row] for row in rows], d_velocity[rows],
            lambda velocity, d_velocity: self._backpropagate(velocity, d_velocity, scaler),
        )  # fmt: skip

    def _followed_velocity(self, request: VelocityRequest, rows: list[int] | None = None) -> torch.Tensor:
        """The velocity of a request, or of some of its rows, with what autograd needs."""
        with torch.enable_grad():
            velocity = self._evaluate(self.velocity, request, self.batch_size, only=rows)
        if not velocity.requires_grad:
            raise InvalidArgumentError("velocity: expected a tensor that autograd follows, got one cut off from it")
        return velocity

    def _backpropagate(
        self, velocity: torch.Tensor, d_velocity: FloatArray, scaler: "torch.amp.GradScaler | None"
    ) -> None:
        gradient = self._crossing.gradient(d_velocity.reshape(velocity.shape), velocity)
        torch.autograd.backward(velocity, gradient if scaler is None else scaler.scale(gradient))

    def _reference_velocity(self, request: VelocityRequest) -> FloatArray | None:
        if not request.needs_reference:
            return None
        with torch.no_grad():
            return self._crossing.array(self._evaluate(self._reference(), request, self.batch_size))

    def _reference(self) -> Velocity:
        if self.reference is None:
            raise InvalidArgumentError("reference: expected a frozen model, got none")
        return self.reference

    def _evaluate(
        self,
        function: Velocity,
        request: VelocityRequest,
        rows: int,
        *,
        only: list[int] | None = None,
        lasts: bool = False,
    ) -> torch.Tensor:
        """The velocity of a request, or of its rows `only`, (B, *latent_shape), in a batch of at least `rows`. `lasts`: the
        latents are needed after the request is answered, when the library may use their memory again."""
        chosen = slice(None) if only is None else only
        values = request.latents[chosen]
        latents = self._crossing.latents(values, (len(values), *self.latent_shape))
        if lasts and self._crossing.shares_memory:
            latents = latents.clone()
        writes = latents._version
        sigmas, prompts = torch.tensor(request.sigmas[chosen]), torch.tensor(request.prompt_index[chosen])
        velocity = self._in_batches(function, latents, sigmas, prompts, rows)
        if self._crossing.shares_memory and latents._version != writes:
            raise InvalidStateError(
                "latents: expected to be left as they are by the velocity function, got a change in place; "
                "draw the rollout again"
            )
        return velocity

    def _in_batches(
        self, function: Velocity, latents: torch.Tensor, sigmas: torch.Tensor, prompts: torch.Tensor, rows: int
    ) -> torch.Tensor:
        size = self.batch_size or len(latents)
        pieces = [slice(start, start + size) for start in range(0, len(latents), size)]
        answers = [self._call(function, latents[at], sigmas[at], prompts[at], rows) for at in pieces]
        return answers[0] if len(answers) == 1 else torch.cat(answers)

    def _call(
        self, function: Velocity, latents: torch.Tensor, sigmas: torch.Tensor, prompts: torch.Tensor, rows: int
    ) -> torch.Tensor:
        count = len(latents)
        if self._is_compiled and rows == 0 and self.batch_size > 0:
            rows = size_of_batch(count, self.batch_size)
        latents = filled_up(latents.to(self.device, self.dtype), rows)
        sigmas = filled_up(sigmas.to(self.device), rows)
        prompts = filled_up(prompts.to(self.device, torch.int64), rows)
        if self._is_compiled:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with self._autocast():
            velocity = function(latents, sigmas, prompts)
        name = "velocity" if function is self.velocity else "reference_velocity"
        answer = checked_velocity(velocity, tuple(latents.shape), name)[:count]
        if self._is_compiled:
            answer = answer.clone()  # a CUDA graph writes its next answer to the same memory
        return answer

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.autocast is None:
            return contextlib.nullcontext()
        autocast: contextlib.AbstractContextManager[Any] = torch.autocast(self.device.type, self.autocast)
        return autocast


def _gradient_from(update: Update | HostTrainer, velocity: FloatArray, reference: FloatArray | None) -> FloatArray:
    d_velocity = update.submit(velocity, reference_velocity=reference)
    if d_velocity is None:
        raise InvalidStateError("request: expected one that needs a gradient, got one that needs none")
    return d_velocity
