"""Trainer for the built-in model: rollout, the host's rewards, update."""

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import FloatArray, integers, output, pointer, size, texts
from ._library import call, create
from ._sample_call import sample_call
from ._structs import from_struct, read_struct, to_struct
from .any_trainer import AnyTrainer, TicketedSamples, exclusive
from .collective import Collective, CollectiveCallbacks, LocalRank
from .configurations import LearningConfig, SampleConfig, SamplingConfig
from .enums import MissingRewards, MissingRewardsName, Storage, StorageName, Weights, WeightsName
from .errors import MixGRPOError
from .evaluator import Evaluator
from .plan import Plan, plan_of
from .prompts import Prompts
from .results import Metrics, Resumption
from .reward_names import scores_in_order, weights_in_order


class Trainer(AnyTrainer):
    """Joins evaluator, prompts, plan, learning and optimizer, and trains the evaluator's model in place:

        samples = trainer.rollout([0, 1, 2, 3])                # (P, G, N, C)
        metrics = trainer.update(my_score(samples))            # (K, P, G)

    `rewards`: the K names of the rewards. `keep_base`: keep a frozen copy of the current weights, for hybrid samples
    and `Weights.BASE`; always kept when `learning.kl_reference` is above 0.

    Raises `InvalidArgumentError` naming every field that does not fit.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        prompts: Prompts,
        plan: Plan | SamplingConfig = SamplingConfig(),
        learning: LearningConfig = LearningConfig(),
        *,
        rewards: Sequence[str] = ("reward",),
        keep_base: bool = False,
    ) -> None:
        self.evaluator = instance(evaluator, Evaluator, "evaluator")
        self.prompts = instance(prompts, Prompts, "prompts")
        self.plan = plan_of(plan)
        self.learning = instance(learning, LearningConfig, "learning")
        reward_names = texts(rewards, "rewards")
        self.reward_names = tuple(rewards)
        self.context = evaluator.model.context
        self._groups: tuple[int, int] | None = None  # (P, G) of the latest rollout
        self._collective: CollectiveCallbacks | LocalRank | None = None
        struct = to_struct(_abi.LearningConfig, self.learning)
        self._adopt(
            create(
                "mixgrpo_trainer_create",
                evaluator.handle,
                prompts.handle,
                self.plan.handle,
                ctypes.byref(struct),
                reward_names,
                len(reward_names),
                keep_base,
            )
        )

    @property
    def lines(self) -> Sequence[str] | None:
        """The prompts as text, None when only embeddings are known."""
        return self.prompts.lines

    @exclusive
    def set_collective(self, collective: Collective | LocalRank | None) -> None:
        """Makes this trainer one of several ranks that train one model together, or, with None, one that trains alone
        again. Every rank calls it, and then makes the same calls in the same order.

        A rollout takes the prompts of all ranks and returns the samples of this rank's `share`; an update takes the
        rewards of these. `Evaluation.sample` shares out its prompts and returns all samples. Weights, optimizer,
        metrics and window have the same bits for any number of ranks. An error on one rank ends the call on all.

        Raises `InvalidStateError` while samples wait for an update; `InvalidArgumentError` naming rank and field where
        ranks have other settings, prompts, reward names, weights, or another version of the library.
        """
        callbacks = (
            collective
            if collective is None or isinstance(collective, LocalRank)
            else CollectiveCallbacks(collective, self.context._fail_call)
        )
        struct = None if callbacks is None else ctypes.byref(callbacks.struct())
        self.context.run("mixgrpo_trainer_set_collective", self.handle, struct)
        self._collective = callbacks

    @property
    def has_collective(self) -> bool:
        """Whether this trainer is one of several ranks."""
        return self._collective is not None

    def share(self, prompts: int) -> slice:
        """The places of this rank's prompts among so many; all without a collective."""
        return slice(0, prompts) if self._collective is None else self._collective.share(prompts)

    @contextmanager
    def _checking_call(self, function: str, *arguments: Any) -> Iterator[None]:
        """Of several ranks an error in here ends the call on the others too: the library is called with arguments that it
        refuses."""
        try:
            yield
        except Exception:
            if self._collective is not None:
                with suppress(MixGRPOError):
                    self.context.run(function, *arguments)
            raise

    def _checking(self, function: str, *arguments: Any) -> AbstractContextManager[None]:
        return self._checking_call(function, self.handle, *arguments)

    def checking_sample(self, evaluation: int) -> AbstractContextManager[None]:
        """For the checks before a sample of an evaluation."""
        return self._checking_call("mixgrpo_evaluation_sample", evaluation, self.handle, None, 0)

    def _own(self, prompts: int) -> int:
        """The number of this rank's prompts."""
        return len(range(prompts)[self.share(prompts)])

    @exclusive
    def rollout(self, prompt_indices: ArrayLike, *, out: FloatArray | None = None) -> FloatArray:
        """Samples a group for each of P distinct prompts: (P, G, N, C) at sigma = 0. Of several ranks each gets the
        samples of its share of the prompts.

        A rollout without an update is replaced by the next one, in the same iteration and with the same random numbers.
        It stays when the next one is cancelled or fails, unless the evaluator's `max_bytes` has no room for both.
        """
        with self._checking("mixgrpo_trainer_rollout", None, 1, None, 0):
            index = integers(prompt_indices, "prompt_indices").reshape(-1)
            groups = self._own(len(index)), self.plan.config.group_size
            out = output(out, (*groups, *self.evaluator.latent_shape), np.float32)
        self.context.run("mixgrpo_trainer_rollout", self.handle, pointer(index), len(index), pointer(out), out.size)
        self._groups = groups
        return out

    @exclusive
    def rollout_ticket(self, prompt_indices: ArrayLike) -> TicketedSamples:
        """Samples a group for each of P prompts of the iteration and gives out a ticket for their rewards, so that some
        samples can be scored while others are drawn:

            first = trainer.rollout_ticket([0])
            pool.submit(lambda: trainer.submit_rewards(first, my_score(first.samples)))
            second = trainer.rollout_ticket([1])               # meanwhile
            …
            metrics = trainer.update_tickets()

        The samples are, to the last bit, those of one `rollout` of all prompts in the order of the tickets.

        Raises `InvalidArgumentError` for a prompt that has a ticket in this iteration, and when the window has changed
        since the first ticket.
        """
        with self._checking("mixgrpo_trainer_rollout_ticket", None, 1, None, 0, None):
            index = integers(prompt_indices, "prompt_indices").reshape(-1)
            own = self._own(len(index))
            samples = output(None, (own, self.plan.config.group_size, *self.evaluator.latent_shape), np.float32)
        ticket = ctypes.c_int64()
        self.context.run(
            "mixgrpo_trainer_rollout_ticket",
            self.handle,
            pointer(index),
            len(index),
            pointer(samples),
            samples.size,
            ctypes.byref(ticket),
        )
        return TicketedSamples(ticket.value, tuple(index[self.share(len(index))].tolist()), samples)

    @exclusive
    def update_tickets(
        self,
        *,
        missing: MissingRewards | MissingRewardsName = MissingRewards.REFUSE,
        weights: ArrayLike | Mapping[str, float] | None = None,
    ) -> Metrics:
        """Trains on the samples of all tickets and moves to the next iteration.

        Otherwise as `update`. Raises `InvalidStateError` without a ticket, or naming the tickets without rewards.
        """
        with self._checking("mixgrpo_trainer_update_tickets", -1, None, 0, None):
            shares = weights_in_order(weights, self.reward_names)
            policy = chosen(MissingRewards, missing, "missing")
        return read_struct(
            Metrics,
            "mixgrpo_trainer_update_tickets",
            self.handle,
            policy,
            pointer(shares),
            size(shares),
            run=self.context.run,
        )

    @exclusive
    def update(
        self, rewards: ArrayLike | Mapping[str, ArrayLike], *, weights: ArrayLike | Mapping[str, float] | None = None
    ) -> Metrics:
        """Trains on the latest rollout and moves to the next iteration.

        `rewards`: (K, P, G), or (P, G) when K is 1, or (P, G) by name; NaN for a reward that failed. `weights`: (K), or
        by name, each 0 or more, not all 0; 1 each by default.

        On `CancelledError`, Ctrl-C or an error weights, optimizer and iteration are as before, and the call may be repeated.
        With `Undo.NONE` the finished optimizer steps stay and the message says how many; repeating the call with the
        same rewards does the rest. Raises `InvalidStateError` without a rollout; with `FaultPolicy.STOP` also
        `NotFiniteError` and `DivergedError`.
        """
        with self._checking("mixgrpo_trainer_update", None, 1, None, 0, None):
            scores = scores_in_order(rewards, self.reward_names, self._groups)
            shares = weights_in_order(weights, self.reward_names)
        return read_struct(
            Metrics,
            "mixgrpo_trainer_update",
            self.handle,
            pointer(scores),
            scores.size,
            pointer(shares),
            size(shares),
            run=self.context.run,
        )

    @exclusive
    def save(self, folder: str | os.PathLike[str]) -> None:
        """Saves everything that a bit-exact continuation needs: weights, optimizer, averages, iteration, settings."""
        call("mixgrpo_trainer_save", self.handle, folder)

    @exclusive
    def restore(self, folder: str | os.PathLike[str]) -> None:
        """Restores the saved state into this trainer, which must have the same model sizes and settings. A pending
        rollout and tickets are dropped.

        Raises `InputOutputError`, `InvalidFormatError`; `InvalidArgumentError` naming the settings that differ.
        """
        call("mixgrpo_trainer_restore", self.handle, folder)

    @exclusive
    def checkpoint(self, folder: str | os.PathLike[str], *, keep_last: int = 3, keep_every: int = 0) -> None:
        """Saves the same into a folder of checkpoints, one file per saved iteration. The newest `keep_last` are kept
        and, with `keep_every` above 0, those whose iteration is a multiple of it.

        After a kill or on a full disk the folder still holds a complete checkpoint if it held one before. Raises
        `InputOutputError`; `InvalidStateError` when there is a complete checkpoint of a later iteration: it belongs to
        another run, or was not resumed from.
        """
        call("mixgrpo_trainer_checkpoint", self.handle, folder, keep_last, keep_every)

    @exclusive
    def resume(self, folder: str | os.PathLike[str]) -> Resumption | None:
        """Restores the newest complete checkpoint of a folder, as `restore` does. None, with nothing changed, when there
        is none. A log line of the context gives the reason for each checkpoint that is skipped.

        Raises `InvalidFormatError` when there are checkpoints and none is complete; `InvalidArgumentError` naming the settings
        that differ.
        """
        struct = _abi.Resumption()
        call("mixgrpo_trainer_resume", self.handle, folder, ctypes.byref(struct))
        return None if struct.iteration < 0 else from_struct(Resumption, struct)

    @exclusive
    def save_model(
        self,
        folder: str | os.PathLike[str],
        weights: Weights | WeightsName = Weights.TRAINED,
        storage: Storage | StorageName = Storage.F32,
    ) -> None:
        """Writes one of the trainer's sets of weights as `Model.save` does."""
        kinds = chosen(Weights, weights, "weights"), chosen(Storage, storage, "storage")
        call("mixgrpo_trainer_save_model", self.handle, kinds[0], folder, kinds[1])

    @exclusive
    def sample(
        self,
        prompt_indices: ArrayLike,
        config: SampleConfig = SampleConfig(),
        *,
        weights: Weights | WeightsName = Weights.TRAINED,
        initial_noise: ArrayLike | None = None,
        out: FloatArray | None = None,
    ) -> FloatArray:
        """Deterministic samples with the trainer's weights, (P, S, N, C), as `Evaluator.sample`. A pending rollout
        stays.

        Raises `InvalidStateError` when the base or the average is asked for and not kept.
        """
        drawn = sample_call(prompt_indices, config, self.evaluator.latent_shape, initial_noise)
        out = output(out, drawn.shape, np.float32, apart_from=(drawn.noise,))
        kind = chosen(Weights, weights, "weights")
        self.context.run("mixgrpo_trainer_sample", self.handle, kind, *drawn.arguments, pointer(out), out.size)
        return out
