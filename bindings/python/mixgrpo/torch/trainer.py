"""The convenient whole for a PyTorch model: rollout, the host's rewards, update with the host's optimizer."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._arrays import FloatArray, integers
from ..context import Context
from ..enums import WindowMode
from ..errors import InvalidArgument, InvalidFormat, InvalidState, NotFinite
from ..group_advantages import Advantages, advantages
from ..metrics import Metrics, Resumption
from ..plan import SCHEDULED_WINDOW, AdaptiveWindow, Plan
from ..reward_names import scores_in_order, weights_in_order
from ..rollout import Rollout
from ..samples import SampleConfig
from ..settings import LearningConfig, SamplingConfig
from ..update import Update
from .checkpoints import newest_checkpoint, require_readable, write_checkpoint
from .figures import figures_of
from .policy import TorchPolicy
from .sampling import sample
from .snapshot import Snapshot, trained_weights
from .state import FORMAT, progress_in, saved_window, settings_of, window_in

_HOSTS_OWN = (
    "schedule", "warmup_steps", "total_steps", "min_rate_fraction", "learning_rate", "beta1", "beta2", "epsilon",
    "weight_decay", "ema_decay",
)  # fmt: skip


class TorchTrainer:
    """Aligns a PyTorch model with rewards; the optimizer is the host's own:

        trainer = TorchTrainer(policy, torch.optim.AdamW(lora_weights, lr=1e-4), lines, rewards=["taste"])
        samples = trainer.rollout([0, 1])                      # (P, G, *latent_shape)
        metrics = trainer.update(my_score(samples))            # (P, G)

    `mixgrpo.train` runs it in a loop.

    `optimizer`: any of `torch.optim` or alike; it decides what is trained (all weights, LoRA, …) and at what rate.
    Its gradients are zeroed before and after an update. Of `learning`, the fields of AdamW and of averaged weights must
    stay at their defaults, because nothing here would obey them; `max_gradient_norm` holds.
    `lines`: the prompts' words, one for each prompt index that the policy knows.
    `rewards`: the K names of the rewards.
    `scheduler`: stepped after each optimizer step. `scaler`: of gradients in float16.
    `keep_snapshot`: with True (default) an update is all or nothing: weights, optimizer, scheduler and scaler are
    copied before it and come back when it fails or is interrupted. With False, which saves that memory, a failed update
    leaves the optimizer steps that it has done, and its unfinished gradients are dropped.

    Raises `InvalidArgument` naming what does not fit.
    """

    def __init__(
        self,
        policy: TorchPolicy,
        optimizer: torch.optim.Optimizer,
        lines: Sequence[str],
        plan: Plan | SamplingConfig | None = None,
        learning: LearningConfig | None = None,
        *,
        rewards: Sequence[str] = ("reward",),
        scheduler: "torch.optim.lr_scheduler.LRScheduler | None" = None,
        scaler: "torch.amp.GradScaler | None" = None,
        keep_snapshot: bool = True,
        context: Context | None = None,
    ) -> None:
        self.policy = policy
        self.optimizer = optimizer
        self.lines: Sequence[str] = _checked_names(lines, "lines", distinct=False)
        self.reward_names = _checked_names(rewards, "rewards", distinct=True)
        self.plan = plan if isinstance(plan, Plan) else Plan(plan)
        self.learning = _checked_learning(learning or LearningConfig(), policy)
        self.scheduler = scheduler
        self.scaler = scaler
        self.keep_snapshot = keep_snapshot
        self.context = context
        self.adaptive_window: AdaptiveWindow | None = None
        """Where the window of `WindowMode.ADAPTIVE` stands; None in the other modes."""
        if self.plan.config.window_mode is WindowMode.ADAPTIVE:
            self.adaptive_window = AdaptiveWindow()
        self._iteration = 0
        self._window_start = SCHEDULED_WINDOW
        self._rollout: Rollout | None = None
        self._seconds_rollout = 0.0
        trained_weights(optimizer)

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""
        return self._iteration

    def rollout(self, prompt_indices: ArrayLike) -> FloatArray:
        """Samples a group for each of P distinct prompts: (P, G, *latent_shape) at sigma = 0.

        A rollout that no update follows is replaced by the next, in the same iteration and with the same random
        numbers; so a rollout that failed may just be called again.
        """
        start = time.perf_counter()
        self._rollout = None
        rollout = Rollout(
            self.plan,
            self._known(prompt_indices),
            latent_size=self.policy.latent_size,
            iteration=self._iteration,
            window_start=self._current_window(),
            max_batch=self.policy.batch_size,
            context=self.context,
        )
        self.policy.run(rollout)
        samples = rollout.samples()
        self._rollout = rollout
        self._seconds_rollout = time.perf_counter() - start
        return samples.reshape(*samples.shape[:2], *self.policy.latent_shape)

    def set_window(self, window_start: int = SCHEDULED_WINDOW) -> None:
        """The host's own window for the rollouts to come, 0…T - 1 - w; by default the plan's."""
        self.plan.iteration(self._iteration, window_start=window_start)
        self._window_start = window_start

    def update(
        self, rewards: ArrayLike | Mapping[str, ArrayLike], *, weights: ArrayLike | Mapping[str, float] | None = None
    ) -> Metrics:
        """Trains on the latest rollout and moves to the next iteration.

        `rewards`: (K, P, G), or (P, G) when K is 1, or (P, G) by name; NaN for a reward that failed. `weights`: (K), or
        by name, each 0 or more, not all 0; 1 each by default.

        On Ctrl-C or an error, also one that the model raises, everything is as before (with `keep_snapshot`), and the
        call may be repeated. Raises `InvalidState` without a rollout; `NotFinite` for a gradient that is NaN or
        infinite.
        """
        rollout = self._rollout
        if rollout is None:
            raise InvalidState("update: expected a rollout before it, got none")
        start = time.perf_counter()
        scores = scores_in_order(rewards, self.reward_names, (rollout.prompt_count, self.plan.config.group_size))
        shares = weights_in_order(weights, self.reward_names)
        found = advantages(scores, weights=shares, config=self.learning)
        update, norms, rate = self._train(rollout, found)
        seconds = (self._seconds_rollout, time.perf_counter() - start)
        metrics = figures_of(rollout, update, scores, shares, found, norms, rate, seconds)
        self.adaptive_window = self._advanced(rollout, found, metrics)
        self._rollout = None
        self._iteration += 1
        return metrics

    def sample(self, prompt_indices: ArrayLike, config: SampleConfig | None = None) -> FloatArray:
        """Deterministic samples of the policy, (P, S, *latent_shape), as `mixgrpo.torch.sample`. A pending rollout
        stays."""
        return sample(self.policy, self._known(prompt_indices), config)

    def checkpoint(self, folder: str | os.PathLike[str], *, keep_last: int = 3, keep_every: int = 0) -> None:
        """Saves all that a bit-exact continuation needs (what the optimizer trains, its state, scheduler, scaler and
        `state_dict`) into a folder of checkpoints, one file per iteration saved; of these stay the newest `keep_last`
        and, with `keep_every` above 0, those whose iteration is a multiple of it. Frozen weights and buffers are the
        host's to save.

        After a kill or on a full disk a whole checkpoint is there if one was there before. Raises `InputOutputError`;
        `InvalidArgument` when a state holds objects that could not be read again (`torch.load(weights_only=True)`);
        `InvalidState` when there is a whole checkpoint of a later iteration: it belongs to another run, or was not
        resumed from.
        """
        states = [holder.state_dict() for holder in self._holders()]
        for holder, state in zip(self._holders(), states, strict=True):
            require_readable(type(holder).__name__, state)
        content = {
            "format": FORMAT,
            "weights": [weight.detach() for weight in trained_weights(self.optimizer)],
            "states": states,
            "trainer": self.state_dict(),
        }
        write_checkpoint(Path(folder), self._iteration, content, keep_last=keep_last, keep_every=keep_every)

    def resume(self, folder: str | os.PathLike[str]) -> Resumption | None:
        """Brings this trainer, its weights and its optimizer to the newest whole checkpoint of a folder. None, with
        nothing changed, when there is none.

        Raises `InvalidFormat` when there are checkpoints and none is whole; `InvalidArgument` naming the settings or
        weights that differ. Everything is then as before.
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
        return Resumption(iteration=self._iteration, skipped=skipped)

    def _holders(self) -> list[Any]:
        return [holder for holder in (self.optimizer, self.scheduler, self.scaler) if holder is not None]

    def _restore(self, content: Any) -> None:
        try:
            weights, states, progress = content["weights"], content["states"], content["trainer"]
            kinds, state_count = [_kind(weight) for weight in weights], len(states)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidFormat(f"checkpoint: expected a trainer's, got {type(error).__name__}: {error}") from None
        wanted = [_kind(weight) for weight in trained_weights(self.optimizer)]
        if len(kinds) != len(wanted) or state_count != len(self._holders()):
            raise InvalidArgument(
                f"optimizer: expected {len(wanted)} weights and {len(self._holders())} states, as here, "
                f"got {len(kinds)} weights and {state_count} states"
            )
        for index, (here, saved) in enumerate(zip(wanted, kinds, strict=True)):
            if saved != here:
                raise InvalidArgument(f"optimizer: expected weight {index} to be {here}, as here, got {saved}")
        with torch.no_grad():
            for weight, saved in zip(trained_weights(self.optimizer), weights, strict=True):
                weight.copy_(saved)
        for holder, state in zip(self._holders(), states, strict=True):
            try:
                holder.load_state_dict(state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                raise InvalidArgument(f"{type(holder).__name__}: expected the state of one, got {error}") from error
        self.load_state_dict(progress)

    def state_dict(self) -> dict[str, Any]:
        """What the run must remember beside the host's weights and optimizer: iteration, window, settings, seed. Plain
        numbers, texts and lists: for `torch.save` as for JSON. A pending rollout is not in it."""
        return {
            "format": FORMAT,
            "iteration": self._iteration,
            "window_start": self._window_start,
            "adaptive_window": saved_window(self.adaptive_window),
            "settings": self._settings(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where `state_dict` was taken, from the next rollout on exactly, once the host has loaded its own
        weights, optimizer and scheduler. A pending rollout is dropped.

        Raises `InvalidFormat`; `InvalidArgument` naming the settings that differ.
        """
        progress, window = progress_in(state, self._settings()), window_in(state)
        self._iteration, self._window_start = progress
        self.adaptive_window = window
        self._rollout = None

    def _settings(self) -> dict[str, Any]:
        return settings_of(
            self.plan, self.learning, rewards=list(self.reward_names), latent_shape=list(self.policy.latent_shape)
        )

    def _current_window(self) -> int:
        """The host's or the adaptive window, otherwise the plan's."""
        if self._window_start == SCHEDULED_WINDOW and self.adaptive_window is not None:
            return self.adaptive_window.window_start
        return self._window_start

    def _advanced(self, rollout: Rollout, found: Advantages, metrics: Metrics) -> AdaptiveWindow | None:
        """An iteration that trained elsewhere, or in which no group told its samples apart, says nothing about the
        adaptive window."""
        state, idle = self.adaptive_window, found.degenerate_groups + found.dropped_groups
        if state is None or metrics.window_start != state.window_start or idle >= rollout.prompt_count:
            return state
        return self.plan.advance(state, metrics.reward_mean, metrics.reward_std)

    def _known(self, prompt_indices: ArrayLike) -> ArrayLike:
        index = integers(prompt_indices, "prompt_indices").reshape(-1)
        if index.size and int(index.max()) >= len(self.lines):
            raise InvalidArgument(f"prompt_indices: expected less than {len(self.lines)}, got {int(index.max())}")
        return index

    def _train(self, rollout: Rollout, found: Advantages) -> tuple[Update, list[float], float]:
        """The finished update, the gradient norm of each optimizer step, and the rate of the last."""
        update = Update(rollout, found, self.learning, max_batch=self.policy.batch_size)
        norms, rate = [], float("nan")
        with self._all_or_nothing():
            for request in update:
                if request.is_optimizer_step:
                    rate = float(self.optimizer.param_groups[0]["lr"])
                    norms.append(self._step(request.minibatch))
                else:
                    self.policy.backward(update, request, scaler=self.scaler)
        return update, norms, rate

    def _step(self, part: int) -> float:
        """Clips, steps, zeroes; gives the gradient norm before the clip."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        limit = self.learning.max_gradient_norm or float("inf")
        norm = float(torch.nn.utils.clip_grad_norm_(self._with_gradient(), limit))
        if self.scaler is None and not np.isfinite(norm):
            raise NotFinite(f"gradient: expected a finite norm, got {norm} in part {part}; the step was not taken")
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self.scheduler is not None:
            self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _with_gradient(self) -> list[torch.Tensor]:
        weights = [weight for weight in trained_weights(self.optimizer) if weight.grad is not None]
        if not weights:
            raise InvalidArgument("optimizer: expected weights that the velocity depends on, got none with a gradient")
        return weights

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        self.optimizer.zero_grad(set_to_none=True)
        before = Snapshot(self.optimizer, self.scheduler, self.scaler) if self.keep_snapshot else None
        try:
            yield
        except BaseException:
            self.optimizer.zero_grad(set_to_none=True)
            if before is not None:
                before.restore()
            raise


def _kind(weight: torch.Tensor) -> str:
    """All that a weight and a saved one must share for a copy that changes no bit."""
    return f"{tuple(weight.shape)} in {weight.dtype}"


def _checked_names(names: Sequence[str], field: str, *, distinct: bool) -> tuple[str, ...]:
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgument(f"{field}: expected at least one text in a sequence, got {names!r}")
    if distinct and (len(set(names)) < len(names) or "" in names):
        raise InvalidArgument(f"{field}: expected distinct names that are not empty, got {list(names)}")
    return tuple(names)


def _checked_learning(learning: LearningConfig, policy: TorchPolicy) -> LearningConfig:
    """The configuration, when all of it can be obeyed."""
    defaults = LearningConfig()
    unheard = [name for name in _HOSTS_OWN if getattr(learning, name) != getattr(defaults, name)]
    if unheard:
        values = ", ".join(f"{name} {getattr(learning, name)}" for name in unheard)
        raise InvalidArgument(f"learning: expected what belongs to the host's optimizer left alone, got {values}")
    if learning.kl_reference > 0 and policy.reference is None:
        raise InvalidArgument("reference: expected a frozen model in the policy, as kl_reference is set, got none")
    return learning
