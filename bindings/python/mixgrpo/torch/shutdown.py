"""The end of the interpreter while a daemon thread is in a rollout or an update.

Python stops daemon threads where they are, and PyTorch aborts the process when that is inside one of its functions. So
the end waits for the request that is being answered, and no other is begun.
"""

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidStateError

PATIENCE = 60.0
"""Seconds the end waits at most."""

_change = threading.Condition()
_in_progress = 0
_is_ending = False


@contextmanager
def answering() -> Iterator[None]:
    """Around the work on one request, in a function that holds none of its tensors: PyTorch gives the interpreter to other
    threads while it frees one. Raises `InvalidStateError` when the interpreter is ending."""
    global _in_progress
    with _change:
        if _is_ending:
            raise InvalidStateError("interpreter: expected it to run on, got its end; the request stands unanswered")
        _in_progress += 1
    try:
        yield
    finally:
        with _change:
            _in_progress -= 1
            _change.notify_all()


@atexit.register
def _end() -> None:
    global _is_ending
    with _change:
        _is_ending = True
        _change.wait_for(lambda: _in_progress == 0, PATIENCE)
