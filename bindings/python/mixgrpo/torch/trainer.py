"""Trainer for a PyTorch model: rollout, the host's rewards, update with the host's optimizer."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import IntEnum
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
from ..plan import Plan
from ..request import VelocityRequest
from ..results import Metrics, Resumption
from .agreement import require_same_run
from .checkpoints import (
    begin_sharded,
    begun_sharded,
    finish_sharded,
    newest_checkpoint,
    read_checkpoint,
    require_readable,
    write_checkpoint,
)
from .embeddings import check_count
from .first_ratio import FirstRatioAction, FirstRatioError, FirstRatioWatch
from .kept_activations import KeptActivations
from .not_finite import answer_error, explained_faults, gradient_error
from .own_grid import plan_of, sample_config_of
from .policy import TorchPolicy
from .ranks import TorchRanks, ranks_of_group
from .sharded_checkpoints import Shards, checksums, like, mapped, read_shards, tensor_kinds, whole
from .snapshot import Snapshot, require_trainable, trained_weights
from .tensors import module_of, weight_names
from .wrappers import Wrappers, clip_to_norm, require_whole

_FORMAT = 2


class _Round(IntEnum):
    """What all ranks evaluate together of a sharded model."""

    VELOCITY = 0
    REFERENCE = 1
    GRADIENT = 2
    GRADIENT_AND_REFERENCE = 3


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

    Under `torchrun` all ranks of `process_group` train together, by default those of the default group if
    `torch.distributed` is initialised: plain modules (their gradients are added up here), DDP and FSDP2 (`fully_shard`).
    Every call is made on all ranks, with the prompts of all; samples and rewards are those of this rank's share,
    `share(prompts)`. The result is that of one process, up to the rounding of sums. An error or Ctrl-C on one rank undoes the
    update on all. Raises `RankLostError` when a rank has ended.

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
        process_group: "torch.distributed.ProcessGroup | None" = None,
    ) -> None:
        self.ranks = ranks_of_group(process_group)
        self._kept: Snapshot | None = None
        self._is_first = True  # whether the next request is the first of a rollout, update or sample

        def build() -> None:
            self.scheduler, self.scaler = scheduler, scaler
            self._build(
                policy, optimizer, lines, plan, learning, rewards, keep_activations, first_ratio, context
            )  # fmt: skip

        self.ranks.together(build)
        self._wrappers: Wrappers | None = None
        if isinstance(self.ranks, TorchRanks):
            self._join(self.ranks, keep_activations)

    def _build(
        self,
        policy: TorchPolicy,
        optimizer: torch.optim.Optimizer,
        lines: Sequence[str],
        plan: Plan | SamplingConfig,
        learning: LearningConfig,
        rewards: Sequence[str],
        keep_activations: int,
        first_ratio: FirstRatioAction,
        context: Context | None,
    ) -> None:
        if keep_activations < 0:
            raise InvalidArgumentError(f"keep_activations: expected 0 (none) or more latents, got {keep_activations}")
        self.policy = instance(policy, TorchPolicy, "policy")
        self.optimizer = _checked_optimizer(optimizer)
        require_trainable(optimizer, weight_names(policy.velocity))
        require_whole(trained_weights(optimizer), self.ranks.count)
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

    def _join(self, ranks: TorchRanks, keep_activations: int) -> None:
        weights = trained_weights(self.optimizer)
        settings = asdict(self.learning) | asdict(self.plan.config)
        module = module_of(self.policy.velocity)
        frozen = [] if module is None else [weight for weight in module.parameters() if not weight.requires_grad]
        require_same_run(ranks, self.state_dict(), settings, self.lines, weights, frozen)
        self._wrappers = wrappers = ranks.together(lambda: Wrappers(weights, ranks))
        if not any(ranks.add_up_flags([bool(wrappers.shards)])):
            return
        if self.scaler is not None:
            raise InvalidArgumentError(
                "scaler: expected None for a model that is sharded, which trains in bfloat16 without one, got one"
            )
        if keep_activations > 0:
            raise InvalidArgumentError(
                f"keep_activations: expected 0 for a model that is sharded, got {keep_activations}"
            )
        ranks.empty_round = self._empty_round

    def sample_config(self, config: SampleConfig = SampleConfig()) -> SampleConfig:
        """The settings of samples, on the policy's own time grid if it has one and `config.sigmas` is None."""
        return sample_config_of(self.policy, super().sample_config(config))

    # Answers to requests

    def evaluate(self, request: VelocityRequest) -> None:
        """The velocity without gradient; `BASE` is the policy's reference."""
        is_reference = request.weights is Weights.BASE
        self._in_round(
            _Round.REFERENCE if is_reference else _Round.VELOCITY,
            True,
            lambda: self.policy.answer(self, request, reference=is_reference, kept=self._activations),
        )

    def differentiate(self, request: VelocityRequest) -> None:
        """The velocity; dL/dvelocity is backpropagated."""
        with explained_faults(self.policy):
            self._in_round(
                _Round.GRADIENT_AND_REFERENCE if request.needs_reference else _Round.GRADIENT,
                request.completes_minibatch,
                lambda: self.policy.backward(self, request, scaler=self._gradient_scaler, kept=self._activations),
            )

    def submit(self, velocity: ArrayLike, *, reference_velocity: ArrayLike | None = None) -> FloatArray | None:
        """As `HostTrainer.submit`; its `NotFiniteError` says what was not finite."""
        try:
            d_velocity = super().submit(velocity, reference_velocity=reference_velocity)
        except NotFiniteError as error:
            raise answer_error(error, velocity) from None
        self._is_submitted = True
        return d_velocity

    def step(self, request: VelocityRequest) -> tuple[float, float]:
        """Adds up the gradients of all ranks, clips, steps, zeroes."""
        if self._wrappers is not None:
            self._wrappers.add_up()
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
        self._weights_changed()
        self.zero_gradients()
        return norm, rate

    def keep_state(self) -> None:
        """Copies weights, optimizer, scheduler and scaler."""
        self._kept = Snapshot(self.optimizer, self.scheduler, self.scaler)

    def restore_state(self) -> None:
        """Restores them."""
        if self._kept is not None:
            self._kept.restore()
            self._weights_changed()

    def zero_gradients(self) -> None:
        """Gradients become none."""
        self._activations.forget_gradients()
        self.optimizer.zero_grad(set_to_none=True)
        if self._wrappers is not None:
            self._wrappers.forget_gradients()

    def _weights_changed(self) -> None:
        if self._wrappers is not None:
            self._wrappers.forget_weights()

    @property
    def _gradient_scaler(self) -> Any:
        """What multiplies a gradient before it is carried back."""
        return self.scaler if self._wrappers is None or not self._wrappers.shards else self._wrappers

    # Evaluations of a sharded model, in which all ranks take part

    def _in_round(self, kind: "_Round", is_last: bool, work: Callable[[], None]) -> None:
        if not isinstance(self.ranks, TorchRanks) or self.ranks.empty_round is None or self._wrappers is None:
            work()
            return
        exchanges = self.ranks.enter_round(kind, is_last)
        self._wrappers.exchange_in_backward(exchanges)
        self._is_submitted = False
        self._wrappers.begin_round()
        try:
            work()
        except BaseException as error:
            self._complete_round(kind, exchanges, self.ranks, self._wrappers, error)
            raise
        finally:
            self._wrappers.end_round()

    def _complete_round(
        self, kind: "_Round", exchanges: bool, ranks: TorchRanks, wrappers: Wrappers, error: BaseException
    ) -> None:
        """After a failure: does what the other ranks wait for in the sharded module, or says that this cannot be done."""
        outputs = wrappers.outputs
        has_gradient = kind in (_Round.GRADIENT, _Round.GRADIENT_AND_REFERENCE)
        if not wrappers.has_entered:
            self._empty_round(kind, exchanges)
        elif wrappers.is_inside or self._is_submitted:
            ranks.leave(error)
        elif has_gradient and outputs:
            torch.autograd.backward(outputs, [torch.zeros_like(output) for output in outputs])
        elif has_gradient:
            self.policy.take_part(gradient=True, velocity=True, reference=False)

    def _empty_round(self, kind: int, exchanges: bool) -> None:
        if self._wrappers is not None:
            self._wrappers.exchange_in_backward(exchanges)
        self.policy.take_part(
            gradient=kind in (_Round.GRADIENT, _Round.GRADIENT_AND_REFERENCE),
            velocity=kind != _Round.REFERENCE,
            reference=kind in (_Round.REFERENCE, _Round.GRADIENT_AND_REFERENCE),
        )

    def _clipped_norm(self, minibatch: int) -> float:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        weights = [weight for weight in trained_weights(self.optimizer) if weight.grad is not None]
        if not weights:
            raise InvalidArgumentError(
                "optimizer: expected weights that the velocity depends on, got none with a gradient"
            )
        norm = clip_to_norm(weights, self.learning.max_gradient_norm or float("inf"))
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
        if request.is_optimizer_step:
            with explained_faults(self.policy):
                self.policy.finish_backward(self._activations, self._gradient_scaler)
        if self._is_first:
            self.policy.begin()
            self._is_first = False
        super()._answer(request)

    def _answer_all(self) -> None:
        self._is_first = True
        self.zero_gradients()
        with contextlib.nullcontext() if self._wrappers is None else self._wrappers.silent():
            super()._answer_all()

    # Checkpoints

    def checkpoint(self, folder: str | os.PathLike[str], *, keep_last: int = 3, keep_every: int = 0) -> None:
        """Saves everything that a bit-exact continuation needs (what the optimizer trains, its state, scheduler, scaler
        and `state_dict`) into a folder of checkpoints, one file per saved iteration. Of several ranks, rank 0 writes it; of
        a sharded model each writes its part, with `torch.distributed.checkpoint`, into a folder per iteration, which must
        be the same one on all machines. The newest `keep_last` are kept
        and, with `keep_every` above 0, those whose iteration is a multiple of it. The host saves frozen weights and
        buffers itself.

        After a kill or on a full disk the folder still holds a complete checkpoint if it held one before. Raises
        `InputOutputError`; `InvalidArgumentError` when a state holds objects that could not be read again
        (`torch.load(weights_only=True)`); `InvalidStateError` when there is a complete checkpoint of a later iteration: it
        belongs to another run, or was not resumed from.
        """
        content = self.ranks.together(self._content)
        kept = {"keep_last": keep_last, "keep_every": keep_every}
        if isinstance(self.ranks, TorchRanks) and self.ranks.empty_round is not None:
            self._write_shards(self.ranks, Path(folder), content, kept)
        else:
            content = mapped(content, lambda _, tensor: whole(tensor))
            self.ranks.first(lambda: write_checkpoint(Path(folder), self.iteration, content, **kept))

    def _content(self) -> dict[str, Any]:
        states = [holder.state_dict() for holder in self._holders()]
        for holder, state in zip(self._holders(), states, strict=True):
            require_readable(type(holder).__name__, state)
        return {
            "format": _FORMAT,
            "weights": [weight.detach() for weight in trained_weights(self.optimizer)],
            "states": states,
            "trainer": self.state_dict(),
        }

    def _write_shards(self, ranks: TorchRanks, folder: Path, content: dict[str, Any], kept: dict[str, int]) -> None:
        ranks.first(lambda: begin_sharded(folder))
        aside, shards = begun_sharded(folder), Shards(content)
        shards.write(aside, ranks.control)
        own = ranks.together(lambda: checksums(aside, f"__{ranks.index}_") | checksums(aside, ".metadata"))
        files: dict[str, Any] = {}
        for text in ranks.texts(json.dumps(own)):
            files |= json.loads(text)
        rest = {**shards.rest, "tensors": tensor_kinds(shards.tensors), "files": files}
        ranks.first(lambda: finish_sharded(folder, self.iteration, rest, **kept))

    def resume(self, folder: str | os.PathLike[str]) -> Resumption | None:
        """Restores the trainer, its weights and its optimizer from the newest complete checkpoint of a folder. None,
        with nothing changed, when there is none.

        Raises `InvalidFormatError` when there are checkpoints and none is complete; `InvalidArgumentError` naming the
        settings or weights that differ. Everything is then as before.
        """
        found = self.ranks.together(
            lambda: newest_checkpoint(Path(folder)),
            "checkpoint",
            lambda found: b"" if found is None else bytes(found[0]),
        )
        if found is None:
            return None
        path, skipped = found
        content = self.ranks.together(lambda: read_checkpoint(path))
        before = Snapshot(self.optimizer, self.scheduler, self.scaler)
        try:
            self._restore(path, content)
        except BaseException:
            before.restore()
            raise
        finally:
            self._weights_changed()
        return Resumption(iteration=self.iteration, skipped=skipped)

    def _holders(self) -> list[Any]:
        return [holder for holder in (self.optimizer, self.scheduler, self.scaler) if holder is not None]

    def _restore(self, path: Path, content: Any) -> None:
        order = trained_weights(self.optimizer)
        states, progress = self.ranks.together(lambda: self._checked(content))
        if "tensors" in content:
            group = self.ranks.control if isinstance(self.ranks, TorchRanks) else None
            weights, states = read_shards(path, content, self.optimizer, group)
        else:
            weights = [like(weight, saved) for weight, saved in zip(order, content["weights"], strict=True)]
            states[0] = mapped(states[0], lambda at, tensor: like(order[at[1]], tensor) if at[0] == "state" else tensor)
        with torch.no_grad():
            for weight, saved in zip(order, weights, strict=True):
                weight.copy_(saved)
        self.ranks.together(lambda: self._load(states, progress))

    def _checked(self, content: Any) -> tuple[list[Any], Any]:
        """The states of optimizer and others, and of the trainer, of a checkpoint whose weights fit."""
        try:
            states, progress = list(content["states"]), content["trainer"]
            if "tensors" in content:
                named = [content["tensors"][f"weights.{number}"] for number in range(len(content["weights"]))]
                kinds = [f"{tuple(shape)} in torch.{dtype}" for shape, dtype in named]
            else:
                kinds = [_kind(weight) for weight in content["weights"]]
            state_count = len(states)
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
        return states, progress

    def _load(self, states: list[Any], progress: Any) -> None:
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
