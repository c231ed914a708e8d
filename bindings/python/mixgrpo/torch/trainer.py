"""Trainer for a PyTorch model: rollout, the host's rewards, update with the host's optimizer."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike

from .._arguments import instance
from .._arrays import FloatArray
from ..any_trainer import exclusive
from ..configurations import LearningConfig, SampleConfig, SamplingConfig
from ..context import Context
from ..enums import MissingRewards, MissingRewardsName, Weights
from ..errors import InvalidArgumentError, NotFiniteError
from ..host_trainer import HostTrainer
from ..plan import Plan
from ..request import VelocityRequest
from ..results import Metrics, Resumption
from .agreement import require_same_run
from .checkpoints import newest_checkpoint, read_checkpoint
from .embeddings import check_count
from .first_ratio import FirstRatioAction, FirstRatioError, FirstRatioWatch
from .kept_activations import KeptActivations
from .not_finite import answer_error, explained_faults
from .optimizer_step import checked_optimizer, clipped_norm, step_at
from .own_grid import plan_of, sample_config_of
from .policy import TorchPolicy
from .ranks import TorchRanks, ranks_of_group
from .rounds import Round, Rounds
from .saved_run import SavedRun
from .shutdown import answering
from .snapshot import Snapshot, require_trainable, trained_weights
from .tensors import module_of, weight_names
from .wrappers import Wrappers, is_sharded, require_whole


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
        self._rounds: Rounds | None = None  # of a sharded model
        if isinstance(self.ranks, TorchRanks):
            self._join(self.ranks, keep_activations)
        elif torch.distributed.is_available() and torch.distributed.is_initialized():
            self._wrappers = Wrappers(trained_weights(optimizer), None)
            if any(map(is_sharded, trained_weights(optimizer))):
                self._require_nothing_for_whole_models(keep_activations)

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
        self.optimizer = checked_optimizer(optimizer)
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
        if any(ranks.add_up_flags([bool(wrappers.shards)])):
            self._require_nothing_for_whole_models(keep_activations)
            self._rounds = Rounds(self.policy, ranks, wrappers)

    def _require_nothing_for_whole_models(self, keep_activations: int) -> None:
        if self.scaler is not None:
            raise InvalidArgumentError(
                "scaler: expected None for a model that is sharded, which trains in bfloat16 without one, got one"
            )
        if keep_activations > 0:
            raise InvalidArgumentError(
                f"keep_activations: expected 0 for a model that is sharded, got {keep_activations}"
            )

    def sample_config(self, config: SampleConfig = SampleConfig()) -> SampleConfig:
        """The settings of samples, on the policy's own time grid if it has one and `config.sigmas` is None."""
        return sample_config_of(self.policy, super().sample_config(config))

    # Answers to requests

    def evaluate(self, request: VelocityRequest) -> None:
        """The velocity without gradient; `BASE` is the policy's reference."""
        is_reference = request.weights is Weights.BASE
        self._evaluate(
            Round.REFERENCE if is_reference else Round.VELOCITY,
            True,
            lambda: self.policy.answer(self, request, reference=is_reference, kept=self._activations),
        )

    def differentiate(self, request: VelocityRequest) -> None:
        """The velocity; dL/dvelocity is backpropagated."""
        with explained_faults(self.policy):
            self._evaluate(
                Round.GRADIENT_AND_REFERENCE if request.needs_reference else Round.GRADIENT,
                request.completes_minibatch,
                lambda: self.policy.backward(self, request, scaler=self._gradient_scaler, kept=self._activations),
            )

    def _evaluate(self, kind: Round, is_last: bool, work: Callable[[], None]) -> None:
        if self._rounds is None:
            work()
        else:
            self._rounds.evaluate(kind, is_last, work)

    def submit(self, velocity: ArrayLike, *, reference_velocity: ArrayLike | None = None) -> FloatArray | None:
        """As `HostTrainer.submit`; its `NotFiniteError` says what was not finite."""
        try:
            d_velocity = super().submit(velocity, reference_velocity=reference_velocity)
        except NotFiniteError as error:
            raise answer_error(error, velocity) from None
        if self._rounds is not None:
            self._rounds.is_submitted = True
        return d_velocity

    def step(self, request: VelocityRequest) -> tuple[float, float]:
        """Adds up the gradients of all ranks, clips, steps, zeroes."""
        with answering():
            return self._step(request)

    def _step(self, request: VelocityRequest) -> tuple[float, float]:
        if self._wrappers is not None:
            self._wrappers.add_up()
        limit = self.learning.max_gradient_norm or float("inf")
        norm = clipped_norm(self.policy, self.optimizer, self.scaler, limit, request.minibatch)
        rate = step_at(self.optimizer, self.scaler, request.rate_factor)
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
        be the same one on all machines. The newest `keep_last` are kept and, with `keep_every` above 0, those whose
        iteration is a multiple of it. The host saves frozen weights and buffers itself.

        After a kill or on a full disk the folder still holds a complete checkpoint if it held one before. Raises
        `InputOutputError`; `InvalidArgumentError` when a state holds objects that could not be read again
        (`torch.load(weights_only=True)`); `InvalidStateError` when there is a complete checkpoint of a later iteration: it
        belongs to another run, or was not resumed from.
        """
        run = SavedRun(self.ranks, self.optimizer, self.scheduler, self.scaler)
        content = self.ranks.together(lambda: run.content(self.state_dict()))
        run.write(Path(folder), self.iteration, content, {"keep_last": keep_last, "keep_every": keep_every})

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
            run = SavedRun(self.ranks, self.optimizer, self.scheduler, self.scaler)
            run.restore(path, content, self.load_state_dict)
        except BaseException:
            before.restore()
            raise
        finally:
            self._weights_changed()
        return Resumption(iteration=self.iteration, skipped=skipped)
