"""A trainer for a model that the host owns: the library runs the iteration, the host evaluates its model."""

import contextlib
import ctypes
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import DoubleArray, FloatArray, IntegerArray, integers, optional_floats, output, pointer, size, texts
from ._library import call, create, library, read_text
from ._structs import to_struct
from .any_trainer import AnyTrainer, TicketedSamples, exclusive
from .configurations import LearningConfig, SampleConfig, SamplingConfig
from .context import Context, given_context
from .enums import MissingRewards, MissingRewardsName, RequestKind, Status, Weights, WeightsName
from .errors import InvalidArgumentError, InvalidFormatError, InvalidStateError, MixGRPOError
from .plan import Plan, plan_of
from .ranks import ALONE, JointFailure, Ranks
from .request import VelocityRequest, answer_to, next_request
from .results import Metrics
from .reward_names import scores_in_order, weights_in_order


class HostTrainer(AnyTrainer):
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

    ranks: Ranks = ALONE
    """The processes that train the model together. With several of them every call is made on all ranks, with the prompts
    of all; samples and rewards are those of this rank's share, `share(prompt_indices)`, which may be empty."""

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
        self._tickets: dict[int, _Ticket] = {}  # of several ranks: their rewards are exchanged in the update
        self._requested = 0  # latents of the current request
        self._gives_gradient = False
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
            shape = (len(self.reward_names), len(share), self.plan.config.group_size)
            self._tickets[ticket] = _Ticket(len(index), shape, None if len(share) else np.empty(shape))
        return TicketedSamples(ticket, tuple(share.tolist()), samples)

    def submit_rewards(self, ticketed: TicketedSamples, rewards: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """As `Trainer.submit_rewards`. Of several ranks, each submits the rewards of its own samples."""
        if self.ranks.count == 1:
            super().submit_rewards(ticketed, rewards)
            return
        ticket = self._tickets.get(instance(ticketed, TicketedSamples, "ticketed").ticket)
        if ticket is None or ticket.rewards is not None and ticket.shape[1] > 0:
            raise InvalidStateError(
                f"ticket: expected one of the current iteration without rewards, got {ticketed.ticket}"
            )
        ticket.rewards = scores_in_order(rewards, self.reward_names, ticket.shape[1:])

    @property
    def open_tickets(self) -> tuple[int, ...]:
        """The iteration's tickets without rewards of this rank. From any thread."""
        if self.ranks.count == 1:
            return super().open_tickets
        return tuple(number for number, ticket in list(self._tickets.items()) if ticket.rewards is None)

    def drop_tickets(self) -> None:
        """As `Trainer.drop_tickets`."""
        self._tickets = {}
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
        scores = self._gathered_scores(own, self._prompts)
        self._begin_update("mixgrpo_trainer_begin_update", pointer(scores), scores.size, pointer(shares), size(shares))
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
        self._exchange_tickets()
        self._begin_update("mixgrpo_trainer_begin_update_tickets", treated, pointer(shares), size(shares))
        metrics = self._updated()
        self._tickets = {}
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
            index = integers(prompt_indices, "prompt_indices").reshape(-1)
            shape = (len(index), config.samples_per_prompt, *self.latent_shape)
            noise = optional_floats(initial_noise, shape, "initial_noise")
            call(
                "mixgrpo_trainer_begin_sample",
                self.handle,
                chosen(Weights, weights, "weights"),
                ctypes.byref(to_struct(_abi.SampleConfig, config)),
                pointer(index),
                len(index),
                pointer(noise),
                size(noise),
            )
            return index

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

    # The loop

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

    # Several ranks

    def _own_scores(self, rewards: ArrayLike | Mapping[str, ArrayLike]) -> DoubleArray:
        if self.ranks.count > 1 and self._groups is None:
            raise InvalidStateError("update: expected a rollout first, got none")
        return scores_in_order(rewards, self.reward_names, self._groups)

    def _gathered_scores(self, own: DoubleArray, prompts: int) -> DoubleArray:
        """(K, P, G) of all ranks."""
        if self.ranks.count == 1:
            return own
        by_prompt = self.ranks.gather_shares(np.ascontiguousarray(own.swapaxes(0, 1)), prompts)
        return np.ascontiguousarray(by_prompt.swapaxes(0, 1))

    def _missing(self, missing: MissingRewards | MissingRewardsName) -> MissingRewards:
        treated = MissingRewards(chosen(MissingRewards, missing, "missing"))
        if treated is MissingRewards.REFUSE and self.ranks.count > 1 and self.open_tickets:
            raise InvalidStateError(f"update: expected rewards for every ticket, got none for {self.open_tickets}")
        return treated

    def _exchange_tickets(self) -> None:
        """Gives the library the rewards of all ranks; missing ones become NaN."""
        for number, ticket in self._tickets.items():
            if not ticket.is_exchanged:
                own = np.full(ticket.shape, np.nan) if ticket.rewards is None else ticket.rewards
                scores = self._gathered_scores(own, ticket.prompts)
                call("mixgrpo_trainer_submit_rewards", self.handle, number, pointer(scores), scores.size)
                ticket.is_exchanged = True

    def _begin_update(self, function: str, *arguments: Any) -> None:
        try:
            self.ranks.together(lambda: call(function, self.handle, *arguments))
        except BaseException as error:
            if self.ranks.count > 1 and self._fail(error):  # begun here, but not on all ranks
                with contextlib.suppress(MixGRPOError):
                    while next_request("mixgrpo_trainer_next", self, self.context.run) is not None:
                        pass
            raise

    def _combine_figures(self) -> None:
        self.ranks.agree()
        own = np.empty(_abi.FIGURE_COUNT)
        call("mixgrpo_trainer_get_figures", self.handle, pointer(own), own.size)
        figures = np.ascontiguousarray(self.ranks.gather(own))
        call("mixgrpo_trainer_submit_figures", self.handle, pointer(figures), figures.size)

    def _fail(self, error: BaseException) -> bool:
        """Reports a failure to the library. Returns whether requests follow: to undo the update, or to continue as the
        fault policy says."""
        status, message = _status_of(error)
        return bool(library.mixgrpo_trainer_fail(self.handle, status, message) == Status.OK)


@dataclass
class _Ticket:
    """The rewards of this rank's samples of one ticket."""

    prompts: int
    """Of all ranks."""
    shape: tuple[int, int, int]
    """(K, share, G)"""
    rewards: DoubleArray | None
    is_exchanged: bool = False


def _weights_token(scores_and_weights: tuple[Any, DoubleArray | None]) -> bytes:
    weights = scores_and_weights[1]
    return b"" if weights is None else weights.tobytes()


def _raised(failure: BaseException | None, error: BaseException) -> BaseException:
    """What the caller gets: the failure itself, or the library's error about it, which says more. A lost rank stays one."""
    is_of_library = isinstance(failure, MixGRPOError) and isinstance(error, MixGRPOError)
    return error if failure is None or is_of_library and not isinstance(failure, ConnectionError) else failure


def _status_of(error: BaseException) -> tuple[Status, bytes]:
    if isinstance(error, MixGRPOError):
        return error.status, _bytes(str(error))
    kind = Status.CANCELLED if isinstance(error, KeyboardInterrupt) else Status.INTERNAL
    return kind, _bytes(f"{type(error).__name__}: {error}")


def _bytes(text: str) -> bytes:
    return text.replace("\0", " ").encode(errors="replace")


def _checked_names(names: Sequence[str], field: str) -> tuple[str, ...]:
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(f"{field}: expected at least one text in a sequence, got {names!r}")
    return tuple(names)
