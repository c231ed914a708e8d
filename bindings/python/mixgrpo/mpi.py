"""Ranks of MPI, over mpi4py (`pip install mpi4py`):

    from mixgrpo.mpi import MPICollective

    trainer.set_collective(MPICollective())

in a program that is started with `mpirun -n 4 python program.py`.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

try:
    from mpi4py import MPI  # type: ignore[import-not-found, unused-ignore]
except ImportError as error:
    raise ImportError(
        "mixgrpo.mpi: expected the package mpi4py (pip install mpi4py, with an MPI such as libopenmpi-dev), got none"
    ) from error


class MPICollective:
    """The ranks of an MPI communicator, by default of all processes that `mpirun` has started."""

    def __init__(self, communicator: Any = None) -> None:
        self.communicator = MPI.COMM_WORLD.Dup() if communicator is None else communicator
        self.rank: int = self.communicator.Get_rank()
        self.size: int = self.communicator.Get_size()

    def all_gather(self, sent: memoryview, received: memoryview) -> None:
        """Gives every rank what each has sent."""
        self.communicator.Allgather([sent, MPI.BYTE], [received, MPI.BYTE])

    def all_to_all(
        self, sent: memoryview, sent_bytes: Sequence[int], received: memoryview, received_bytes: Sequence[int]
    ) -> None:
        """Gives each rank its piece of `sent` and receives one from each."""
        self.communicator.Alltoallv(
            [sent, list(sent_bytes), _places(sent_bytes), MPI.BYTE],
            [received, list(received_bytes), _places(received_bytes), MPI.BYTE],
        )


def _places(sizes: Sequence[int]) -> list[int]:
    """Where each piece begins."""
    return [0, *accumulate(sizes)][:-1]
