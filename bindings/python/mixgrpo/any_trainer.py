"""What trainers with the built-in model and with a model of the host have in common."""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from numpy.typing import ArrayLike

from ._arguments import instance
from ._arrays import DoubleArray, FloatArray, pointer
from ._handle import Object
from ._library import call, library, read_text
from ._shapes import ShownByShape
from ._structs import read_struct
from .errors import InvalidStateError
from .plan import SCHEDULED_WINDOW
from .results import Metrics, RewardMetrics
from .reward_names import scores_in_order

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def exclusive(
    method: Callable[Concatenate[Any, _Parameters], _Result],
) -> Callable[Concatenate[Any, _Parameters], _Result]:
    """A method of a trainer that no other thread may call meanwhile. Raises `InvalidStateError` when one does."""

    def alone(self: Any, /, *arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> _Result:
        if not self._one_thread.acquire(blocking=False):
            raise InvalidStateError(
                f"{type(self).__name__}: expected calls of one thread at a time, got {method.__name__} while another runs"
            )
        try:
            return method(self, *arguments, **keywords)
        finally:
            self._one_thread.release()

    functools.update_wrapper(alone, method)
    return alone


@dataclass(frozen=True, repr=False)
class TicketedSamples(ShownByShape):
    """Samples whose rewards may come later."""

    ticket: int
    """1, 2, … over the life of a trainer; never given out twice."""
    prompt_indices: tuple[int, ...]
    samples: FloatArray
    """(P, G, N, C)"""


class AnyTrainer(Object):
    """Windows, tickets and figures of a trainer's iterations."""

    _destroy = "mixgrpo_trainer_destroy"
    reward_names: tuple[str, ...]
    _one_thread: Any

    def _adopt(self, handle: int) -> None:
        super()._adopt(handle)
        self._one_thread = threading.RLock()

    def _state(self) -> str:
        return f"iteration {self.iteration}, rewards {', '.join(self.reward_names)}"

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""
        return int(library.mixgrpo_trainer_iteration(self.handle))

    def submit_rewards(self, ticketed: TicketedSamples, rewards: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Submits the rewards of a ticket, once, in the shapes that `update` takes. From any thread, also while another
        call on this trainer runs.

        Raises `InvalidStateError` when the ticket already has its rewards, or its iteration is over.
        """
        instance(ticketed, TicketedSamples, "ticketed")
        self._submit_scores(ticketed.ticket, scores_in_order(rewards, self.reward_names, ticketed.samples.shape[:2]))

    def _submit_scores(self, ticket: int, scores: DoubleArray) -> None:
        call("mixgrpo_trainer_submit_rewards", self.handle, ticket, pointer(scores), scores.size)

    @property
    def open_tickets(self) -> tuple[int, ...]:
        """The iteration's tickets without rewards. From any thread."""
        count = ctypes.c_size_t()
        call("mixgrpo_trainer_get_open_tickets", self.handle, None, 0, ctypes.byref(count))
        tickets = (ctypes.c_int64 * max(count.value, 1))()
        call("mixgrpo_trainer_get_open_tickets", self.handle, tickets, len(tickets), ctypes.byref(count))
        return tuple(tickets[: count.value])

    def drop_tickets(self) -> None:
        """Drops the iteration's tickets; rewards for them are refused from then on."""
        call("mixgrpo_trainer_drop_tickets", self.handle)

    def set_window(self, window_start: int = SCHEDULED_WINDOW) -> None:
        """Sets l for the following rollouts, 0…T - 1 - w; by default the window that the plan schedules."""
        call("mixgrpo_trainer_set_window", self.handle, window_start)

    def metrics(self) -> Metrics:
        """The latest iteration's figures. Raises `InvalidStateError` before the first update."""
        return read_struct(Metrics, "mixgrpo_trainer_get_metrics", self.handle)

    def reward_metrics(self) -> dict[str, RewardMetrics]:
        """The latest iteration's figures of each reward. Raises `InvalidStateError` before the first update."""
        return {
            name: read_struct(RewardMetrics, "mixgrpo_trainer_get_reward_metrics", self.handle, index)
            for index, name in enumerate(self.reward_names)
        }

    def metrics_json(self) -> str:
        """The latest iteration's figures as one line of JSON, without line end."""
        return read_text("mixgrpo_trainer_get_metrics_json", self.handle)

    def append_metrics(self, path: str | os.PathLike[str]) -> None:
        """Appends that line, with a line end, to a file."""
        call("mixgrpo_trainer_append_metrics", self.handle, path)
