"""A trainer for a model that the host owns: the library runs the iteration, the host evaluates its model."""

import ctypes
import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import DoubleArray, FloatArray, IntegerArray, integers, output, pointer, size, texts
from ._library import call, create, read_text
from ._rank_tickets import RankTickets, gathered_scores
from ._sample_call import sample_call
from ._structs import to_struct
from .any_trainer import TicketedSamples, exclusive
from .configurations import LearningConfig, SampleConfig, SamplingConfig
from .context import Context, given_context
from .enums import MissingRewards, MissingRewardsName, Weights, WeightsName
from .errors import InvalidArgumentError, InvalidFormatError, InvalidStateError
from .model_owner import ModelOwner
from .plan import Plan, plan_of
from .results import Metrics
from .reward_names import scores_in_order, weights_in_order


class HostTrainer(ModelOwner):
    """MixGRPO for a model in any framework, with its own optimizer. A subclass evaluates and trains the model:

        class MyTrainer(mixgrpo.HostTrainer):
            def evaluate(self, request): …          # velocity of request.latents, self.submit(velocity)
            def differentiate(self, request): …     # the same, then backpropagate what submit returns
            def step(self, request): …              # step the optimizer, zero the gradients, return norm and rate
            def keep_state(self): …                 # copy weights and optimizer
            def restore_state(self): …              # restore the copy
            def zero_gradients(self): …

        samples = trainer.rollout([0, 1])           # (P, G, *latent_shape)
        metrics = trainer.update(my_score(samples)) # (K, P, G)

    `lines`: the prompts as text, one for each prompt index. `latent_shape`: of one latent. `batch_size`: most latents
    in one request, 0 for no limit. `rewards`: the K names of the rewards.

    The fields of `learning` for AdamW and averaged weights must keep their defaults, because the host owns the
    optimizer; `step` applies `max_gradient_norm`. Raises `InvalidArgumentError` naming what does not fit.
    """

    def __init__(
        self,
        lines: Sequence[str],
        latent_shape: Sequence[int],
        plan: Plan | SamplingConfig = SamplingConfig(),
        learning: LearningConfig = LearningConfig(),
        *,
        rewards: Sequence[str] = ("reward",),
        batch_size: int = 0,
        context: Context | None = None,
    ) -> None:
        self.lines: Sequence[str] = _checked_names(lines, "lines")
        self.reward_names = _checked_names(rewards, "rewards")
        self.latent_shape = tuple(latent_shape)
        self.plan = plan_of(plan)
        self.learning = instance(learning, LearningConfig, "learning")
        self.context = given_context(context)
        self._groups: tuple[int, int] | None = None  # (P, G) of this rank in the latest rollout
        self._prompts = 0  # of all ranks in the latest rollout
        self._tickets = RankTickets(self.reward_names)  # of several ranks
        host = dict(max_batch=batch_size, prompt_count=len(self.lines), latent_size=prod(self.latent_shape))
        self._adopt(
            create(
                "mixgrpo_trainer_create_for_host",
                self.context.handle,
                self.plan.handle,
                ctypes.byref(to_struct(_abi.LearningConfig, self.learning)),
                ctypes.byref(to_struct(_abi.HostConfig, host)),
                texts(self.reward_names, "rewards"),
                len(self.reward_names),
            )
        )
        if self.ranks.count > 1:
            call("mixgrpo_trainer_set_rank", self.handle, self.ranks.index, self.ranks.count)

    def share(self, prompt_indices: ArrayLike) -> IntegerArray:
        """Those of the prompts that this rank samples and gives the rewards of; all of them for a process that trains
        alone."""
        index = integers(prompt_indices, "prompt_indices").reshape(-1)
        return index[self.ranks.share(len(index))]

    # One iteration

    @exclusive
    def rollout(self, prompt_indices: ArrayLike) -> FloatArray:
        """Samples a group for each of P distinct prompts: (P, G, *latent_shape) at sigma = 0.

        A rollout without an update is replaced by the next one, in the same iteration and with the same random numbers.
        It stays when the next one fails. A failed rollout may be repeated.
        """
        self._groups = None if self.ranks.count > 1 else self._groups  # ranks do not keep different rollouts
        index = self._draw(prompt_indices, with_ticket=False)
        prompts = len(self.share(index))
        samples, _ = self._drawn(prompts, self.plan.config.group_size)
        self._groups, self._prompts = (prompts, self.plan.config.group_size), len(index)
        return samples

    @exclusive
    def rollout_ticket(self, prompt_indices: ArrayLike) -> TicketedSamples:
        """As `Trainer.rollout_ticket`."""
        index = self._draw(prompt_indices, with_ticket=True)
        share = self.share(index)
        samples, ticket = self._drawn(len(share), self.plan.config.group_size)
        if self.ranks.count > 1:
            self._tickets.add(ticket, len(index), len(share), self.plan.config.group_size)
        return TicketedSamples(ticket, tuple(share.tolist()), samples)

    def submit_rewards(self, ticketed: TicketedSamples, rewards: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """As `Trainer.submit_rewards`. Of several ranks, each submits the rewards of its own samples."""
        if self.ranks.count == 1:
            super().submit_rewards(ticketed, rewards)
        else:
            self._tickets.submit(instance(ticketed, TicketedSamples, "ticketed").ticket, rewards)

    @property
    def open_tickets(self) -> tuple[int, ...]:
        """The iteration's tickets without rewards of this rank. From any thread."""
        if self.ranks.count == 1:
            return super().open_tickets
        return self._tickets.open

    def drop_tickets(self) -> None:
        """As `Trainer.drop_tickets`."""
        self._tickets.drop()
        super().drop_tickets()

    @exclusive
    def update(
        self, rewards: ArrayLike | Mapping[str, ArrayLike], *, weights: ArrayLike | Mapping[str, float] | None = None
    ) -> Metrics:
        """Trains on the latest rollout and moves to the next iteration.

        `rewards`: (K, P, G), or (P, G) when K is 1, or (P, G) by name; NaN for a reward that failed. `weights`: (K), or
        by name, each 0 or more, not all 0; 1 each by default.

        On Ctrl-C or an error, also one that the model raises, everything is as before, and the call may be repeated.
        With `Undo.NONE` the finished optimizer steps stay, and repeating the call with the same rewards does the rest.
        Raises `InvalidStateError` without a rollout; with `FaultPolicy.STOP` also `NotFiniteError` and `DivergedError`.
        """
        own, shares = self.ranks.together(
            lambda: (self._own_scores(rewards), weights_in_order(weights, self.reward_names)), "weights", _weights_token
        )
        scores = gathered_scores(self.ranks, own, self._prompts)
        arrays = pointer(scores), scores.size, pointer(shares), size(shares)
        self._begin_update("mixgrpo_trainer_begin_update", *arrays)
        return self._updated()

    @exclusive
    def update_tickets(
        self,
        *,
        missing: MissingRewards | MissingRewardsName = MissingRewards.REFUSE,
        weights: ArrayLike | Mapping[str, float] | None = None,
    ) -> Metrics:
        """Trains on the samples of all tickets and moves to the next iteration, as `Trainer.update_tickets`."""
        treated, shares = self.ranks.together(
            lambda: (self._missing(missing), weights_in_order(weights, self.reward_names)), "weights", _weights_token
        )
        self._tickets.exchange(self.ranks, self._submit_scores)
        self._begin_update("mixgrpo_trainer_begin_update_tickets", treated, pointer(shares), size(shares))
        metrics = self._updated()
        self._tickets.drop()
        return metrics

    def sample_config(self, config: SampleConfig = SampleConfig()) -> SampleConfig:
        """The settings that deterministic samples of this model are drawn with: those given, completed by a subclass
        whose model has a time grid of its own."""
        return instance(config, SampleConfig, "config")

    @exclusive
    def sample(
        self,
        prompt_indices: ArrayLike,
        config: SampleConfig = SampleConfig(),
        *,
        weights: Weights | WeightsName = Weights.TRAINED,
        initial_noise: ArrayLike | None = None,
    ) -> FloatArray:
        """Deterministic samples of the model, (P, S, *latent_shape). A pending rollout stays.

        The noise depends only on seed, place in `prompt_indices` and number of the sample, so two models can be
        compared on the same noise. `initial_noise`: the host's noise, (P, S, *latent_shape). `weights`: those that the
        requests name; with `config.trained_model_share` below 1 the last steps name `BASE` (hybrid inference, Mix §5).
        """
        config = self.sample_config(config)

        def begin() -> IntegerArray:
            drawn = sample_call(prompt_indices, config, self.latent_shape, initial_noise)
            kind = chosen(Weights, weights, "weights")
            call("mixgrpo_trainer_begin_sample", self.handle, kind, *drawn.arguments)
            return drawn.index

        index = self.ranks.together(begin, "prompt_indices", lambda index: index.tobytes())
        self._answer_all()
        return self._drawn(len(self.share(index)), config.samples_per_prompt)[0]

    @exclusive
    def sample_evaluation(self, evaluation: int, prompts: int, samples: int) -> FloatArray:
        """The samples of an evaluation, given by its handle; see `Evaluation.sample`."""
        self.ranks.together(lambda: call("mixgrpo_evaluation_begin_sample", evaluation, self.handle))
        self._answer_all()
        return self._drawn(len(range(prompts)[self.ranks.share(prompts)]), samples)[0]

    # Progress

    def state_dict(self) -> dict[str, Any]:
        """The state of the run beside the host's weights and optimizer: iteration, window, settings, seed. Plain
        numbers and texts, for any file. A pending rollout is not included."""
        state: dict[str, Any] = json.loads(read_text("mixgrpo_trainer_get_progress", self.handle))
        return state

    @exclusive
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken, once the host has loaded its weights and optimizer. A pending
        rollout is dropped.

        Raises `InvalidFormatError`; `InvalidArgumentError` naming the settings that differ. Nothing is changed
        then.
        """
        try:
            text = json.dumps(state)
        except (TypeError, ValueError) as error:
            raise InvalidFormatError(f"progress: expected what state_dict() gave, got {error}") from None
        call("mixgrpo_trainer_set_progress", self.handle, text)

    def _draw(self, prompt_indices: ArrayLike, *, with_ticket: bool) -> Any:
        def begin() -> IntegerArray:
            index = integers(prompt_indices, "prompt_indices").reshape(-1)
            call("mixgrpo_trainer_begin_rollout", self.handle, pointer(index), len(index), with_ticket)
            return index

        index = self.ranks.together(begin, "prompt_indices", lambda index: index.tobytes())
        self._answer_all()
        return index

    def _drawn(self, prompts: int, samples: int) -> tuple[FloatArray, int]:
        out: FloatArray = output(None, (prompts, samples, *self.latent_shape), np.float32)
        ticket = ctypes.c_int64()
        call("mixgrpo_trainer_get_samples", self.handle, pointer(out), out.size, ctypes.byref(ticket))
        return out, ticket.value

    def _updated(self) -> Metrics:
        self._answer_all()
        return self.metrics()

    def _own_scores(self, rewards: ArrayLike | Mapping[str, ArrayLike]) -> DoubleArray:
        if self.ranks.count > 1 and self._groups is None:
            raise InvalidStateError("update: expected a rollout first, got none")
        return scores_in_order(rewards, self.reward_names, self._groups)

    def _missing(self, missing: MissingRewards | MissingRewardsName) -> MissingRewards:
        treated = MissingRewards(chosen(MissingRewards, missing, "missing"))
        if treated is MissingRewards.REFUSE and self.ranks.count > 1 and self.open_tickets:
            raise InvalidStateError(f"update: expected rewards for every ticket, got none for {self.open_tickets}")
        return treated


def _weights_token(scores_and_weights: tuple[Any, DoubleArray | None]) -> bytes:
    weights = scores_and_weights[1]
    return b"" if weights is None else weights.tobytes()


def _checked_names(names: Sequence[str], field: str) -> tuple[str, ...]:
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(f"{field}: expected at least one text in a sequence, got {names!r}")
    return tuple(names)
