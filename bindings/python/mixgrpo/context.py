"""Threads, log, progress, cancel and Ctrl-C."""

import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from . import _abi
from ._arguments import function, instance
from ._handle import Object
from ._library import call, create, library
from ._structs import from_struct
from .enums import LogLevel
from .errors import MixGRPOError
from .results import Progress

LogReceiver: TypeAlias = Callable[[LogLevel, str], None]
ProgressReceiver: TypeAlias = Callable[[Progress], None]


class Context(Object):
    """Worker threads, the receivers of log lines and of progress, and a cancel.

    `threads`: worker threads, 0 for one per core, or 1…1024. Results do not depend on it, to the last bit.
    `log`, `progress`: called on the thread that called the library; None (the default) for silence. They may be
    replaced at any time, and may call `cancel`. An exception in one of them stops the call as `cancel` does and is
    raised by that call.

    Ctrl-C in a rollout, an update or sampling stops it within one request to the model and raises `KeyboardInterrupt`,
    with all objects as they were before the call.

    Raises `InvalidArgumentError`; `UnsupportedError` when the processor lacks the instructions that the library is built for.
    """

    _destroy = "mixgrpo_context_destroy"

    def _state(self) -> str:
        return f"threads {self.threads}{', cancelled' if self.cancelled else ''}"

    def __init__(
        self, threads: int = 0, *, log: LogReceiver | None = None, progress: ProgressReceiver | None = None
    ) -> None:
        receivers = _receiver(log, "log"), _receiver(progress, "progress")
        self._adopt(create("mixgrpo_context_create", threads))
        self._callbacks = _Callbacks(self._handle, *receivers)
        self._callbacks.install()

    def _fail_call(self, failure: BaseException) -> None:
        """Stops the running call of this thread, which then raises `failure`."""
        self._callbacks.fail(failure)

    @property
    def threads(self) -> int:
        """The number of worker threads in use."""
        return int(library.mixgrpo_context_threads(self.handle))

    @property
    def log(self) -> LogReceiver | None:
        """Receives each log line with its level."""
        return self._callbacks.log

    @log.setter
    def log(self, receiver: LogReceiver | None) -> None:
        self._callbacks.log = _receiver(receiver, "log")

    @property
    def progress(self) -> ProgressReceiver | None:
        """Receives how far a call is, after each request to the model."""
        return self._callbacks.progress

    @progress.setter
    def progress(self, receiver: ProgressReceiver | None) -> None:
        self._callbacks.progress = _receiver(receiver, "progress")

    def cancel(self) -> None:
        """Stops rollouts, updates and sampling of this context: they raise `CancelledError`. Calls that begin later stop
        too, until `reset_cancel`. From any thread."""
        call("mixgrpo_context_cancel", self.handle)

    def reset_cancel(self) -> None:
        """Lets work begin again after a `cancel`. From any thread."""
        call("mixgrpo_context_reset_cancel", self.handle)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` is in force."""
        return bool(library.mixgrpo_context_is_cancelled(self.handle))

    def run(self, function: str, *arguments: Any) -> None:
        """Calls a function of the C interface that may take long: it can be stopped by Ctrl-C and by failing
        callbacks."""
        with self._callbacks.stoppable():
            call(function, *arguments)


@functools.cache
def default_context() -> Context:
    """The context of everything that is created without one: one thread per core, silent."""
    return Context()


def given_context(context: Context | None) -> Context:
    """An argument `context`; None is the default context."""
    return default_context() if context is None else instance(context, Context, "context")


def _receiver(receiver: Any, name: str) -> Any:
    takes = {"log": ("a level and a line", 2), "progress": ("a Progress", 1)}
    return None if receiver is None else function(receiver, name, *takes[name])


class _Callbacks:
    """What C calls back. Python exceptions stay on this side: they cancel the call and are raised when it has
    returned."""

    def __init__(self, handle: int, log: LogReceiver | None, progress: ProgressReceiver | None) -> None:
        self.log = log
        self.progress = progress
        self._handle = handle
        self._failures: dict[int, BaseException] = {}  # by thread
        self._own_cancels: set[int] = set()  # threads whose call was cancelled here, not by the host
        self._c_log = _abi.LogCallback(self._receive_log)
        self._c_progress = _abi.ProgressCallback(self._receive_progress)

    def install(self) -> None:
        call("mixgrpo_context_set_log", self._handle, self._c_log, None)
        call("mixgrpo_context_set_progress", self._handle, self._c_progress, None)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Runs a call, then raises what stopped it."""
        self._settle()
        stopped = None
        try:
            with _interrupts_to(self.fail):
                yield
        except MixGRPOError as error:
            stopped = error
        failure = self._settle() or stopped
        if failure is not None:
            raise failure

    def _settle(self) -> BaseException | None:
        """Takes what stopped the latest call of this thread, and takes the cancel back that was made of it."""
        thread = threading.get_ident()
        if thread in self._own_cancels:
            self._own_cancels.discard(thread)
            library.mixgrpo_context_reset_cancel(self._handle)
        return self._failures.pop(thread, None)

    def fail(self, failure: BaseException) -> None:
        """Keeps an exception for later and stops the call, unless the host has stopped everything already."""
        thread = threading.get_ident()
        self._failures.setdefault(thread, failure)
        if not library.mixgrpo_context_is_cancelled(self._handle):
            self._own_cancels.add(thread)
            library.mixgrpo_context_cancel(self._handle)

    def _receive_log(self, _: Any, level: int, message: bytes) -> None:
        try:
            if self.log is not None:
                self.log(LogLevel(level), message.decode(errors="replace"))
        except BaseException as failure:
            self.fail(failure)

    def _receive_progress(self, _: Any, progress: Any) -> None:
        # Also called without a receiver: it is here that Python gets to see a Ctrl-C while C is at work.
        try:
            if self.progress is not None:
                self.progress(from_struct(Progress, progress.contents))
        except BaseException as failure:
            self.fail(failure)


@contextmanager
def _interrupts_to(receiver: Callable[[BaseException], None]) -> Iterator[None]:
    """While C is at work, what the handler of Ctrl-C raises goes to `receiver`.

    Python runs the handler when C calls back, and an exception raised there would be lost: ctypes can only print it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return

    def receive(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as exception:
            receiver(exception)

    try:
        signal.signal(signal.SIGINT, receive)
    except ValueError:  # a subinterpreter: signals belong to the main one
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
