"""The ranks of torch.distributed: each decision of an iteration is made by all of them together."""

import contextlib
import signal
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from ..enums import Status
from ..errors import CancelledError, InvalidArgumentError, InvalidStateError, MixGRPOError, error_of, status_of, text_of
from ..ranks import ALONE, JointFailure, Ranks
from .pulse import PATIENCE, PERIOD, Pulse

_READY, _FAILED, _EVALUATES = 0, 1, 2
_FAULTS = (Status.NOT_FINITE, Status.DIVERGED)
_FOREVER = timedelta(days=20)  # ranks wait for each other as long as all are alive

EmptyRound = Callable[[int, bool], None]
"""Takes part in an evaluation of a sharded model without latents of its own: kind, whether gradients are exchanged."""


class RankLostError(MixGRPOError, ConnectionError):
    """Another process of the group has ended or cannot be reached, so that this one cannot go on either."""


def ranks_of_group(group: "dist.ProcessGroup | None") -> Ranks:
    """The ranks of a group, or of the default group if torch.distributed is initialised; otherwise, and for a group of
    one, a process that trains alone.

    Raises `InvalidArgumentError` for what is no group, or one that this process is no member of.
    """
    if not (dist.is_available() and dist.is_initialized()):
        if group is not None:
            raise InvalidArgumentError(
                "process_group: expected None, or torch.distributed to be initialised, got a group without it"
            )
        return ALONE
    if not (group is None or isinstance(group, dist.ProcessGroup)):
        raise InvalidArgumentError(f"process_group: expected a group of this process, got {group!r}")
    return TorchRanks(group) if dist.get_world_size(group) > 1 else ALONE


class TorchRanks(Ranks):
    """Ranks that talk through torch.distributed: gradients in the host's group, decisions in a group of their own over
    gloo, which needs no GPU and waits as long as all ranks give signs of life."""

    def __init__(self, group: "dist.ProcessGroup | None") -> None:
        self.group = dist.group.WORLD if group is None else group
        self.index, self.count = dist.get_rank(self.group), dist.get_world_size(self.group)
        self.empty_round: EmptyRound | None = None
        """Set for a sharded model, whose evaluations need all ranks at once."""
        members = dist.get_process_group_ranks(self.group)
        self.control = dist.new_group(members, timeout=_FOREVER, backend="gloo", use_local_synchronization=True)
        name = f"mixgrpo/{self.control.group_name}"
        self._pulse = Pulse(dist.distributed_c10d._get_default_store(), name, self.index, self.count)
        weakref.finalize(self, self._pulse.stop)
        self._lost: RankLostError | None = None
        self._interrupt: BaseException | None = None
        self._lets_through = False

    # Decisions

    def agree(self, what: str = "", token: bytes = b"") -> None:
        if self._interrupt is not None:
            raise self._agreed_interrupt()
        own = zlib.crc32(token, zlib.crc32(what.encode()))
        while True:
            states = self._states(_READY, own)
            if (states[:, 0] == _FAILED).any():
                raise self._decided(states, None)
            if not (states[:, 0] == _EVALUATES).any():
                break
            self._take_part(states)
        others = [rank for rank, token in enumerate(states[:, 1].tolist()) if token != states[0, 1]]
        if others:
            raise JointFailure(
                InvalidArgumentError(
                    f"{what or 'call'}: expected the same on every rank, as on rank 0, got another on rank {others[0]}"
                )
            )

    def agree_on_failure(self, error: BaseException) -> JointFailure:
        if self._lost is not None or isinstance(error, JointFailure | RankLostError):
            return error if isinstance(error, JointFailure) else JointFailure(self._lost or error)
        try:
            return self._decided(self._states(_FAILED, status_of(error)), error)
        except RankLostError as lost:
            lost.__context__ = error
            return JointFailure(lost)

    def enter_round(self, kind: int, is_last: bool) -> bool:
        """Waits until all ranks take part in an evaluation of this kind, of a sharded model. Returns whether it is the last
        one before the optimizer step, on all ranks."""
        while True:
            states = self._states(_EVALUATES, kind, is_last)
            if (states[:, 0] == _FAILED).any():
                raise self._decided(states, None)
            chosen, exchanges = _round_of(states)
            if chosen == kind:
                return exchanges
            self._take_part(states)

    def gather(self, values: NDArray[Any]) -> NDArray[Any]:
        own = torch.from_numpy(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
        parts = [part.numpy().view(values.dtype).reshape(values.shape) for part in self._gathered(own)]
        return np.stack(parts)

    def leave(self, error: BaseException) -> None:
        self._lost = RankLostError(f"rank {self.index} has left: {text_of(error)}")
        self._pulse.leave(text_of(error))

    def add_up(self, tensor: torch.Tensor) -> None:
        """Replaces a tensor by its sum over all ranks."""
        self._finish(lambda: dist.all_reduce(tensor, group=self.group, async_op=True), tensor.device.type == "cpu")

    def add_up_flags(self, flags: list[bool]) -> list[bool]:
        """Whether each flag is set on any rank."""
        return [bool(count) for count in self.gather(np.array(flags, np.int64)).sum(axis=0)]

    # Ctrl-C

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        handler = signal.getsignal(signal.SIGINT)
        if (
            threading.current_thread() is not threading.main_thread()
            or not callable(handler)
            or self._is_holding(handler)
        ):
            yield
            return

        def hold(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as interrupt:
                if self._lets_through:
                    raise
                self._interrupt = interrupt

        hold.is_of_ranks = True  # type: ignore[attr-defined]
        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        self._lets_through = True
        try:
            yield
        finally:
            self._lets_through = False

    @staticmethod
    def _is_holding(handler: Any) -> bool:
        return getattr(handler, "is_of_ranks", False)

    def raise_interrupt(self) -> None:
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt

    def _agreed_interrupt(self) -> JointFailure:
        interrupt, self._interrupt = self._interrupt, None
        assert interrupt is not None
        joint = self.agree_on_failure(interrupt)
        cause = joint.cause or CancelledError(f"rank {self.index}: {text_of(interrupt)}")
        return JointFailure(joint.error, cause)

    # Messages

    def _states(self, code: int, value: int, is_last: bool = True) -> NDArray[np.int64]:
        return self.gather(np.array([code, value, is_last], np.int64))

    def _decided(self, states: NDArray[np.int64], own: BaseException | None) -> JointFailure:
        """All ranks treat the same failure: the first that is no fault of the numbers, otherwise the first."""
        texts = self.texts("" if own is None else text_of(own)[:2000])
        failed = [rank for rank, code in enumerate(states[:, 0]) if code == _FAILED]
        rank = next((rank for rank in failed if states[rank, 1] not in _FAULTS), failed[0])
        cause = error_of(int(states[rank, 1]), f"rank {rank}: {texts[rank]}")
        if own is None:
            return JointFailure(cause, cause)
        is_overruled = status_of(own) in _FAULTS and cause.status not in _FAULTS
        return JointFailure(cause, cause) if is_overruled else JointFailure(own)

    def texts(self, own: str) -> list[str]:
        """The text of each rank."""
        raw = own.encode()
        sizes = self.gather(np.array([len(raw)], np.int64))[:, 0]
        padded = np.zeros(max(1, int(sizes.max())), np.uint8)
        padded[: len(raw)] = np.frombuffer(raw, np.uint8)
        return [
            bytes(row[:size]).decode(errors="replace") for row, size in zip(self.gather(padded), sizes, strict=True)
        ]

    def _take_part(self, states: NDArray[np.int64]) -> None:
        if self.empty_round is None:
            raise InvalidStateError("rank: expected all ranks to make the same call, got an evaluation on another")
        self.empty_round(*_round_of(states))

    def _gathered(self, own: torch.Tensor) -> list[torch.Tensor]:
        parts = [torch.empty_like(own) for _ in range(self.count)]
        self._finish(lambda: dist.all_gather(parts, own, group=self.control, async_op=True), True)
        return parts

    def _finish(self, start: Callable[[], Any], is_watched: bool) -> None:
        """Waits for an exchange. Raises `RankLostError` when a rank has gone; `InvalidStateError` without the group."""
        if self._lost is not None:
            raise self._lost
        if not dist.is_initialized():
            raise InvalidStateError("process_group: expected it to live as long as the trainer, got a destroyed one")
        try:
            work = start()
            if not is_watched:
                work.wait()
            while is_watched and not self._is_done(work):
                if (reason := self._pulse.lost()) is not None:
                    raise self._gone(reason)
        except (RuntimeError, ValueError) as error:
            raise self._gone(self._reason(str(error).partition("\n")[0])) from error

    @staticmethod
    def _is_done(work: Any) -> bool:
        try:
            work.wait(timedelta(seconds=PERIOD))
        except RuntimeError:
            if work.is_completed():
                raise
            return False
        return True

    def _reason(self, error: str) -> str:
        """Which rank has gone, once an exchange has failed: waits until its signs stop."""
        end = time.monotonic() + PATIENCE + 6 * PERIOD
        while time.monotonic() < end:
            if (reason := self._pulse.lost()) is not None:
                return f"{reason} ({error[:200]})"
            time.sleep(PERIOD)
        return error

    def _gone(self, reason: str) -> RankLostError:
        self._lost = RankLostError(f"process group: expected all {self.count} ranks, got fewer: {reason}")
        return self._lost


def _round_of(states: NDArray[np.int64]) -> tuple[int, bool]:
    """The kind of evaluation that comes next, and whether gradients are exchanged in it."""
    waiting = states[states[:, 0] == _EVALUATES]
    kind = int(waiting[:, 1].min())
    return kind, bool(waiting[:, 2].all())
