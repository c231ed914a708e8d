"""Rewards of tickets of several ranks: each rank keeps those of its share until the update."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import DoubleArray
from .errors import InvalidStateError
from .ranks import Ranks
from .reward_names import scores_in_order


@dataclass
class _Ticket:
    prompts: int
    """Of all ranks."""
    shape: tuple[int, int, int]
    """(K, share, G)"""
    rewards: DoubleArray | None
    is_exchanged: bool = False


class RankTickets:
    """The tickets of an iteration, as one of several ranks sees them."""

    def __init__(self, reward_names: tuple[str, ...]) -> None:
        self._names = reward_names
        self._tickets: dict[int, _Ticket] = {}

    def add(self, number: int, prompts: int, share: int, group_size: int) -> None:
        """A ticket of so many prompts of all ranks; one whose share is empty has its rewards."""
        shape = (len(self._names), share, group_size)
        self._tickets[number] = _Ticket(prompts, shape, None if share else np.empty(shape))

    def submit(self, number: int, rewards: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Keeps the rewards of this rank's samples. Raises `InvalidStateError` when it has them, or the iteration is over."""
        ticket = self._tickets.get(number)
        if ticket is None or ticket.is_exchanged or ticket.rewards is not None and ticket.shape[1] > 0:
            raise InvalidStateError(f"ticket: expected one of the current iteration without rewards, got {number}")
        ticket.rewards = scores_in_order(rewards, self._names, ticket.shape[1:])

    @property
    def open(self) -> tuple[int, ...]:
        """The numbers of those without rewards of this rank."""
        return tuple(number for number, ticket in list(self._tickets.items()) if ticket.rewards is None)

    def exchange(self, ranks: Ranks, give: Callable[[int, DoubleArray], object]) -> None:
        """Calls `give` with the rewards of all ranks of each ticket; missing ones are NaN."""
        for number, ticket in self._tickets.items():
            if not ticket.is_exchanged:
                own = np.full(ticket.shape, np.nan) if ticket.rewards is None else ticket.rewards
                give(number, gathered_scores(ranks, own, ticket.prompts))
                ticket.is_exchanged = True

    def drop(self) -> None:
        """Forgets all, at the end of an iteration."""
        self._tickets = {}


def gathered_scores(ranks: Ranks, own: DoubleArray, prompts: int) -> DoubleArray:
    """Scores of this rank's share, (K, share, G), put together to those of all ranks, (K, P, G)."""
    if ranks.count == 1:
        return own
    by_prompt = ranks.gather_shares(np.ascontiguousarray(own.swapaxes(0, 1)), prompts)
    return np.ascontiguousarray(by_prompt.swapaxes(0, 1))
