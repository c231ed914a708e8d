"""Ranks: processes or threads that train one model together."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from . import _abi


class Collective(Protocol):
    """How a rank exchanges bytes with the others, for `Trainer.set_collective`. `mixgrpo.mpi` has that of MPI.

    Methods run on the thread that called the trainer, and return when all ranks have made the call. When a rank is
    lost, they must raise on the others. An exception undoes the work of all ranks and is raised by the trainer's call.
    """

    @property
    def rank(self) -> int:
        """0…size - 1"""

    @property
    def size(self) -> int:
        """Number of ranks."""

    def all_gather(self, sent: memoryview, received: memoryview) -> None:
        """Gives every rank what each has sent: `received` is (size, len(sent)) bytes, in the order of the ranks."""

    def all_to_all(
        self, sent: memoryview, sent_bytes: Sequence[int], received: memoryview, received_bytes: Sequence[int]
    ) -> None:
        """Gives each rank its piece of `sent` and receives one from each. The pieces stand one behind the other, in the
        order of the ranks, with these numbers of bytes."""


class _RankOfMany:
    rank: int
    """0…size - 1"""
    size: int
    """Number of ranks."""

    def share(self, prompts: int) -> slice:
        """The places of this rank's prompts among so many."""
        return slice(self.rank * prompts // self.size, (self.rank + 1) * prompts // self.size)


class LocalRank(_RankOfMany):
    """The collective of one rank of `LocalRanks`, for `Trainer.set_collective`."""

    def __init__(self, struct: _abi.Collective) -> None:
        self._struct = struct
        self.rank, self.size = struct.rank, struct.size

    def struct(self) -> _abi.Collective:
        """For C."""
        return self._struct


class CollectiveCallbacks(_RankOfMany):
    """What C calls to reach a `Collective`. Exceptions go to `fail`."""

    def __init__(self, collective: Collective, fail: Callable[[BaseException], None]) -> None:
        self._collective = collective
        self._fail = fail
        self.rank, self.size = collective.rank, collective.size
        self._all_gather = _abi.AllGatherCallback(self._gather)
        self._all_to_all = _abi.AllToAllCallback(self._scatter)

    def struct(self) -> _abi.Collective:
        """For C, which calls back as long as this object is in use."""
        struct = _abi.Collective()
        struct.rank, struct.size = self.rank, self.size
        struct.all_gather, struct.all_to_all = self._all_gather, self._all_to_all
        return struct

    def _gather(self, _: Any, sent: int, received: int, count: int) -> int:
        return self._run(lambda: self._collective.all_gather(_bytes(sent, count), _bytes(received, count * self.size)))

    def _scatter(self, _: Any, sent: int, sent_bytes: Any, received: int, received_bytes: Any) -> int:
        sizes, other_sizes = sent_bytes[: self.size], received_bytes[: self.size]
        return self._run(
            lambda: self._collective.all_to_all(
                _bytes(sent, sum(sizes)), sizes, _bytes(received, sum(other_sizes)), other_sizes
            )
        )

    def _run(self, exchange: Callable[[], None]) -> int:
        try:
            exchange()
        except BaseException as failure:
            self._fail(failure)
            return 1
        return 0


def _bytes(address: int | None, count: int) -> memoryview:
    if not address or not count:
        return memoryview(bytearray())
    return memoryview((ctypes.c_ubyte * count).from_address(address)).cast("B")
