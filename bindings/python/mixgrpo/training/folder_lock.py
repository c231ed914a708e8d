"""The right to run in a folder, held by at most one process at a time; the command `mixgrpo` uses the same file."""

import fcntl
import json
import os
import socket
import weakref
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ..errors import InputOutputError, InvalidStateError

LOCK_FILE = "run.lock"


class FolderLock:
    """An exclusive `flock` on the file `run.lock` of a folder, which is created when it is missing. The file contains who
    holds it. The system releases the lock when the process ends in whatever way; a forked child does not hold it. On a
    file system without locks nothing is excluded.

    Raises `InvalidStateError` naming the holder; `InputOutputError`.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._descriptor = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = _lock(self._path)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, _holder().encode())
        except OSError as error:
            if isinstance(error, InputOutputError):
                raise
            self.release()
            raise InputOutputError(f"{self._path}: expected a lock file that can be written, got {error}") from error
        _held.add(self)

    def release(self) -> None:
        """Removes the file before it is unlocked; whoever opened it meanwhile notices that it is gone."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


_held: "weakref.WeakSet[FolderLock]" = weakref.WeakSet()


def _forget_in_child() -> None:
    for lock in list(_held):
        lock._close()


os.register_at_fork(after_in_child=_forget_in_child)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise InvalidStateError(
                f"{path.parent}: expected a folder that no other run is using, got one in use by {holder}; wait until "
                "that run has ended, or choose another folder"
            ) from None
        except OSError:
            pass
        if os.fstat(descriptor).st_nlink > 0:  # otherwise the holder before has removed it
            return descriptor
        os.close(descriptor)


def _holder() -> str:
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}) + "\n"


def _read_holder(descriptor: int) -> str:
    """The file may be empty while its holder is writing it."""
    try:
        holder = json.loads(os.pread(descriptor, 1024, 0))
        return f"process {int(holder['pid'])} on {str(holder['host'])!a} since {str(holder['since'])!a}".replace(
            "'", ""
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
