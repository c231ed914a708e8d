"""Ranks that are threads of this process."""

import ctypes

from . import _abi
from ._handle import Object
from ._library import call, create
from .collective import LocalRank


class LocalRanks(Object):
    """The transport of ranks that are threads of this process, for machines with several sockets (NUMA nodes), where
    the threads of each rank run on the cores of one:

        ranks = mixgrpo.LocalRanks(2)

        def train(rank):
            os.sched_setaffinity(0, cores[rank])  # of this thread; the threads of its context inherit it
            try:
                trainer = make_trainer(mixgrpo.Context())
                trainer.set_collective(ranks.collective(rank))
                ...
            except BaseException as error:
                ranks.abandon(str(error))
                raise

    `count`: number of ranks, 1…1024. `time_limit`: seconds that a call waits for the other ranks; then it and all later
    calls of all ranks raise `InputOutputError`. A trainer keeps the transport alive.
    """

    _destroy = "mixgrpo_local_ranks_destroy"

    def __init__(self, count: int, *, time_limit: float = 600.0) -> None:
        self._adopt(create("mixgrpo_local_ranks_create", count, time_limit))
        self._count = count

    def __len__(self) -> int:
        return self._count

    def _state(self) -> str:
        return f"{self._count} rank{'s' if self._count != 1 else ''}"

    def collective(self, rank: int) -> LocalRank:
        """The collective of `rank`, for `Trainer.set_collective` of one trainer at a time."""
        struct = _abi.Collective()
        call("mixgrpo_local_ranks_get_collective", self.handle, rank, ctypes.byref(struct))
        return LocalRank(struct)

    def abandon(self, reason: str) -> None:
        """Ends the current and all later calls of all ranks with an error that says why, because a rank makes no more
        calls. Any thread."""
        call("mixgrpo_local_ranks_abandon", self.handle, reason)
