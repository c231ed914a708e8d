"""Trainer for a PyTorch model: rollout, the host's rewards, update with the host's optimizer."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._arguments import instance, short
from .._arrays import FloatArray
from ..any_trainer import exclusive
from ..configurations import LearningConfig, SampleConfig, SamplingConfig
from ..context import Context
from ..enums import MissingRewards, MissingRewardsName, Weights
from ..errors import InvalidArgumentError, InvalidFormatError, NotFiniteError
from ..host_trainer import HostTrainer
from ..metrics import Metrics, Resumption
from ..plan import Plan
from ..request import VelocityRequest
from .checkpoints import newest_checkpoint, require_readable, write_checkpoint
from .embeddings import check_count
from .first_ratio import FirstRatioAction, FirstRatioError, FirstRatioWatch
from .kept_activations import KeptActivations
from .not_finite import answer_error, explained_faults, gradient_error
from .own_grid import plan_of, sample_config_of
from .policy import TorchPolicy
from .snapshot import Snapshot, require_trainable, trained_weights
from .tensors import weight_names

_FORMAT = 2


class TorchTrainer(HostTrainer):
    """Aligns a PyTorch model with rewards, with the host's optimizer:

        trainer = TorchTrainer(policy, torch.optim.AdamW(lora_weights, lr=1e-4), lines, rewards=["taste"])
        samples = trainer.rollout([0, 1])                      # (P, G, *latent_shape)
        metrics = trainer.update(my_score(samples))            # (P, G)

    `mixgrpo.train` runs it in a loop.

    `optimizer`: any of `torch.optim` or alike; it decides what is trained (all weights, LoRA, …) and at what rate.
    Its gradients are zeroed before and after an update. The fields of `learning` for AdamW and averaged weights
    must keep their defaults, because the host owns the optimizer; `max_gradient_norm` is applied.
    `lines`: the prompts as text, one for each prompt index that the policy knows.
    `plan`: settings are placed on the policy's own time grid, if it has one; a `Plan` is used as it is.
    `rewards`: the K names of the rewards.
    `scheduler`: stepped after each optimizer step. `scaler`: of gradients in float16.
    `keep_activations`: latents of a rollout whose activations are kept for the update's first minibatch, which then
    needs no forward for them; 0 (default) for none. It costs the memory of their activations from the rollout to the
    update. Kept are whole calls of the model whose latents are all in the first minibatch, so `batch_size` should divide
    G / `updates_per_iteration`. Rollouts with tickets keep nothing.

    `first_ratio`: what happens when rollout and update saw different models: `"warn"` (default) gives one
    `FirstRatioWarning`, `"error"` undoes the update and raises `FirstRatioError`, `"ignore"` does nothing.

    An update is all or nothing: before its first optimizer step weights, optimizer, scheduler and scaler are copied,
    and restored when it fails or is interrupted. With `Undo.NONE` in `learning`, which needs no copy, a failed update
    keeps the finished optimizer steps.

    Raises `InvalidArgumentError` naming what does not fit.
    """

    def __init__(
        self,
        policy: TorchPolicy,
        optimizer: torch.optim.Optimizer,
        lines: Sequence[str],
        plan: Plan | SamplingConfig = SamplingConfig(),
        learning: LearningConfig = LearningConfig(),
        *,
        rewards: Sequence[str] = ("reward",),
        scheduler: "torch.optim.lr_scheduler.LRScheduler | None" = None,
        scaler: "torch.amp.GradScaler | None" = None,
        keep_activations: int = 0,
        first_ratio: FirstRatioAction = "warn",
        context: Context | None = None,
    ) -> None:
        if keep_activations < 0:
            raise InvalidArgumentError(f"keep_activations: expected 0 (none) or more latents, got {keep_activations}")
        self.policy = instance(policy, TorchPolicy, "policy")
        self.optimizer = _checked_optimizer(optimizer)
        self.scheduler = scheduler
        self.scaler = scaler
        self._kept: Snapshot | None = None
        self._is_first = True  # whether the next request is the first of a rollout, update or sample
        require_trainable(optimizer, weight_names(policy.velocity))
        if instance(learning, LearningConfig, "learning").kl_reference > 0 and policy.reference is None:
            raise InvalidArgumentError(
                "reference: expected a frozen model in the policy, as kl_reference is set, got none"
            )
        check_count(policy.velocity, len(lines), "lines")
        self._first_ratio = FirstRatioWatch(learning.clip_range, first_ratio)
        super().__init__(
            lines, policy.latent_shape, plan_of(policy, plan), learning, rewards=rewards,
            batch_size=policy.batch_size, context=context,
        )  # fmt: skip
        group_size = self.plan.config.group_size
        self._activations = KeptActivations(
            keep_activations, group_size=group_size, first_members=group_size // self.learning.updates_per_iteration,
            weights=lambda: trained_weights(self.optimizer),
        )  # fmt: skip

    def sample_config(self, config: SampleConfig = SampleConfig()) -> SampleConfig:
        """The settings of samples, on the policy's own time grid if it has one and `config.sigmas` is None."""
        return sample_config_of(self.policy, super().sample_config(config))

    # Answers to requests

    def evaluate(self, request: VelocityRequest) -> None:
        """The velocity without gradient; `BASE` is the policy's reference."""
        self.policy.answer(self, request, reference=request.weights is Weights.BASE, kept=self._activations)

    def differentiate(self, request: VelocityRequest) -> None:
        """The velocity; dL/dvelocity is backpropagated."""
        with explained_faults(self.policy):
            self.policy.backward(self, request, scaler=self.scaler, kept=self._activations)

    def submit(self, velocity: ArrayLike, *, reference_velocity: ArrayLike | None = None) -> FloatArray | None:
        """As `HostTrainer.submit`; its `NotFiniteError` says what was not finite."""
        try:
            return super().submit(velocity, reference_velocity=reference_velocity)
        except NotFiniteError as error:
            raise answer_error(error, velocity) from None

    def step(self, request: VelocityRequest) -> tuple[float, float]:
        """Clips, steps, zeroes."""
        with explained_faults(self.policy):
            self.policy.finish_backward(self._activations, self.scaler)
        norm = self._clipped_norm(request.minibatch)
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        rate = float(rates[0]) * request.rate_factor
        if request.rate_factor != 1:
            _set_rates(groups, [rate * request.rate_factor for rate in rates])
        try:
            if self.scaler is None:
                self.optimizer.step()
            else:
                self.scaler.step(self.optimizer)
                self.scaler.update()
        finally:
            if request.rate_factor != 1:
                _set_rates(groups, rates)
        if self.scheduler is not None:
            self.scheduler.step()
        self.zero_gradients()
        return norm, rate

    def keep_state(self) -> None:
        """Copies weights, optimizer, scheduler and scaler."""
        self._kept = Snapshot(self.optimizer, self.scheduler, self.scaler)

    def restore_state(self) -> None:
        """Restores them."""
        if self._kept is not None:
            self._kept.restore()

    def zero_gradients(self) -> None:
        """Gradients become none."""
        self._activations.forget_gradients()
        self.optimizer.zero_grad(set_to_none=True)

    def _clipped_norm(self, minibatch: int) -> float:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        weights = [weight for weight in trained_weights(self.optimizer) if weight.grad is not None]
        if not weights:
            raise InvalidArgumentError(
                "optimizer: expected weights that the velocity depends on, got none with a gradient"
            )
        norm = float(torch.nn.utils.clip_grad_norm_(weights, self.learning.max_gradient_norm or float("inf")))
        if self.scaler is None and not np.isfinite(norm):
            raise gradient_error(self.policy, weights, norm, minibatch)
        return norm

    def _gradient_array(self, shape: tuple[int, ...]) -> FloatArray:
        given = self.policy.gradient_array(shape)
        return super()._gradient_array(shape) if given is None else given

    def _draw(self, prompt_indices: ArrayLike, *, with_ticket: bool) -> Any:
        self._activations.begin(is_alone=not with_ticket)
        try:
            return super()._draw(prompt_indices, with_ticket=with_ticket)
        except BaseException:
            self._activations.drop()
            raise
        finally:
            self._activations.end()

    def _updated(self) -> Metrics:
        try:
            return super()._updated()
        finally:
            self._activations.drop()

    @exclusive
    def update(
        self, rewards: ArrayLike | Mapping[str, ArrayLike], *, weights: ArrayLike | Mapping[str, float] | None = None
    ) -> Metrics:
        """As `HostTrainer.update`. Raises `FirstRatioError` also."""
        return self._watched(lambda: super(TorchTrainer, self).update(rewards, weights=weights))

    @exclusive
    def update_tickets(
        self,
        *,
        missing: MissingRewards | MissingRewardsName = MissingRewards.REFUSE,
        weights: ArrayLike | Mapping[str, float] | None = None,
    ) -> Metrics:
        """As `HostTrainer.update_tickets`. Raises `FirstRatioError` also."""
        return self._watched(lambda: super(TorchTrainer, self).update_tickets(missing=missing, weights=weights))

    def _watched(self, update: Callable[[], Metrics]) -> Metrics:
        before = self.state_dict() if self._first_ratio.raises else {}
        try:
            metrics = update()
            self._first_ratio.see(metrics)
        except FirstRatioError:
            if self._kept is not None:
                self.restore_state()
                self.load_state_dict(before)
            raise
        finally:
            self._kept = None
        return metrics

    def _answer(self, request: VelocityRequest) -> None:
        if self._is_first:
            self.policy.begin()
            self._is_first = False
        super()._answer(request)

    def _answer_all(self) -> None:
        self._is_first = True
        self.zero_gradients()
        super()._answer_all()

    # Checkpoints

    def checkpoint(self, folder: str | os.PathLike[str], *, keep_last: int = 3, keep_every: int = 0) -> None:
        """Saves everything that a bit-exact continuation needs (what the optimizer trains, its state, scheduler, scaler
        and `state_dict`) into a folder of checkpoints, one file per saved iteration. The newest `keep_last` are kept
        and, with `keep_every` above 0, those whose iteration is a multiple of it. The host saves frozen weights and
        buffers itself.

        After a kill or on a full disk the folder still holds a complete checkpoint if it held one before. Raises
        `InputOutputError`; `InvalidArgumentError` when a state holds objects that could not be read again
        (`torch.load(weights_only=True)`); `InvalidStateError` when there is a complete checkpoint of a later iteration: it
        belongs to another run, or was not resumed from.
        """
        states = [holder.state_dict() for holder in self._holders()]
        for holder, state in zip(self._holders(), states, strict=True):
            require_readable(type(holder).__name__, state)
        content = {
            "format": _FORMAT,
            "weights": [weight.detach() for weight in trained_weights(self.optimizer)],
            "states": states,
            "trainer": self.state_dict(),
        }
        write_checkpoint(Path(folder), self.iteration, content, keep_last=keep_last, keep_every=keep_every)

    def resume(self, folder: str | os.PathLike[str]) -> Resumption | None:
        """Restores the trainer, its weights and its optimizer from the newest complete checkpoint of a folder. None,
        with nothing changed, when there is none.

        Raises `InvalidFormatError` when there are checkpoints and none is complete; `InvalidArgumentError` naming the
        settings or weights that differ. Everything is then as before.
        """
        found = newest_checkpoint(Path(folder))
        if found is None:
            return None
        content, skipped = found
        before = Snapshot(self.optimizer, self.scheduler, self.scaler)
        try:
            self._restore(content)
        except BaseException:
            before.restore()
            raise
        return Resumption(iteration=self.iteration, skipped=skipped)

    def _holders(self) -> list[Any]:
        return [holder for holder in (self.optimizer, self.scheduler, self.scaler) if holder is not None]

    def _restore(self, content: Any) -> None:
        try:
            weights, states, progress = content["weights"], content["states"], content["trainer"]
            kinds, state_count = [_kind(weight) for weight in weights], len(states)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidFormatError(f"checkpoint: expected a trainer's, got {type(error).__name__}: {error}") from None
        wanted = [_kind(weight) for weight in trained_weights(self.optimizer)]
        if len(kinds) != len(wanted) or state_count != len(self._holders()):
            raise InvalidArgumentError(
                f"optimizer: expected {len(wanted)} weights and {len(self._holders())} states, as here, "
                f"got {len(kinds)} weights and {state_count} states"
            )
        for index, (here, saved) in enumerate(zip(wanted, kinds, strict=True)):
            if saved != here:
                raise InvalidArgumentError(f"optimizer: expected weight {index} to be {here}, as here, got {saved}")
        with torch.no_grad():
            for weight, saved in zip(trained_weights(self.optimizer), weights, strict=True):
                weight.copy_(saved)
        for holder, state in zip(self._holders(), states, strict=True):
            try:
                holder.load_state_dict(state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                raise InvalidArgumentError(
                    f"{type(holder).__name__}: expected the state of one, got {error}"
                ) from error
        self.load_state_dict(progress)


def _checked_optimizer(optimizer: Any) -> Any:
    """Any object that steps and holds its weights as those of `torch.optim` do."""
    if isinstance(optimizer, type) or not all(
        hasattr(optimizer, name) for name in ("step", "zero_grad", "param_groups")
    ):
        raise InvalidArgumentError(f"optimizer: expected one of torch.optim or alike, got {short(optimizer)}")
    return optimizer


def _kind(weight: torch.Tensor) -> str:
    """All that a weight and a saved one must share for a copy that changes no bit."""
    return f"{tuple(weight.shape)} in {weight.dtype}"


def _set_rates(groups: list[dict[str, Any]], rates: Sequence[Any]) -> None:
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
