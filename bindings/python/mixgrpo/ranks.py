"""Several processes that train one model together, each of which answers for its share of an iteration's prompts."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import MixGRPOError

_Result = TypeVar("_Result")


class JointFailure(BaseException):
    """What all ranks have agreed to treat as the failure of their common work."""

    def __init__(self, error: BaseException, cause: MixGRPOError | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        """What this rank raises."""
        self.cause = cause
        """The error that the library of each rank gets; None for the one above."""


class Ranks:
    """A process that trains alone: nobody has to be asked. `mixgrpo.torch` has the ranks of torch.distributed.

    Every method with "agree" or "gather" in its name, `together` and `first` must be called by all ranks in the same order.
    """

    index = 0
    """0…count - 1"""
    count = 1

    def share(self, prompts: int) -> slice:
        """This rank's places among so many prompts, as the library shares them out."""
        return self.share_of(self.index, prompts)

    def share_of(self, rank: int, prompts: int) -> slice:
        """The places of any rank's prompts."""
        return slice(rank * prompts // self.count, (rank + 1) * prompts // self.count)

    def gather(self, values: NDArray[Any]) -> NDArray[Any]:
        """The arrays of all ranks, (count, *shape); of one shape and type on all of them."""
        return values[None]

    def agree(self, what: str = "", token: bytes = b"") -> None:
        """Waits for all ranks. Raises `JointFailure` when one of them has failed. `token`: what must be equal on all of
        them, such as their prompts; `what` names it."""

    def agree_on_failure(self, error: BaseException) -> JointFailure:
        """Reports a failure of this rank to all. Returns what all of them do about it."""
        return JointFailure(error)

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Holds Ctrl-C back, so that no rank leaves a common step alone."""
        yield

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Lets Ctrl-C through again, around work that this rank does alone."""
        yield

    def raise_interrupt(self) -> None:
        """Raises the Ctrl-C that was held back, if there is one."""

    def leave(self, error: BaseException) -> None:
        """Says to the others that this rank cannot go on, and why."""

    def together(
        self, work: Callable[[], _Result], what: str = "", token: Callable[[_Result], bytes] = lambda _: b""
    ) -> _Result:
        """Does work on every rank. Raises on all of them when it fails on one, or when the tokens of the results differ.
        `what` names what must be equal."""
        if self.count == 1:
            return work()
        try:
            with self.uninterrupted():
                try:
                    with self.interruptible():
                        result = work()
                    known = token(result)
                except BaseException as error:
                    raise self.agree_on_failure(error) from None
                self.agree(what, known)
                return result
        except JointFailure as failure:
            raise failure.error from None

    def first(self, work: Callable[[], object]) -> None:
        """Does work on rank 0 alone. Raises on all ranks when it fails."""
        self.together(lambda: work() if self.index == 0 else None)

    def gather_shares(self, values: NDArray[Any], prompts: int) -> NDArray[Any]:
        """Values of this rank's prompts, (share, …), put together to those of all prompts, (P, …)."""
        if self.count == 1:
            return values
        padded = np.zeros((-(-prompts // self.count), *values.shape[1:]), values.dtype)
        padded[: len(values)] = values
        shares = [self.share_of(rank, prompts) for rank in range(self.count)]
        parts = [part[: share.stop - share.start] for part, share in zip(self.gather(padded), shares, strict=True)]
        return np.concatenate(parts)


ALONE = Ranks()


def ranks_of(trainer: object) -> Ranks:
    """The ranks that a trainer works with; any object that knows of none trains alone."""
    ranks = getattr(trainer, "ranks", ALONE)
    return ranks if isinstance(ranks, Ranks) else ALONE
