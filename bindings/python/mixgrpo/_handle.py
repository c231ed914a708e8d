"""What all objects of the library have in common in Python: one handle, given back once."""

import weakref
from typing import Any, ClassVar, Self

from ._library import library
from .errors import InvalidStateError


class Object:
    """An object of the library. Use it in a `with` statement, call `close`, or let the garbage collector do it.

    Objects keep alive what they were built from, so that they may be closed in any order. One object must not be used
    by two threads at once; different objects may.
    """

    _destroy: ClassVar[str]
    _handle: int
    _finalizer: Any

    def _adopt(self, handle: int) -> None:
        self._handle = handle
        self._finalizer = weakref.finalize(self, getattr(library, self._destroy), handle)

    @property
    def handle(self) -> int:
        """The handle for calls of the C interface. Raises `InvalidStateError` once closed."""
        if not self._finalizer.alive:
            raise InvalidStateError(f"{type(self).__name__}: expected an open object, got a closed one")
        return self._handle

    @property
    def closed(self) -> bool:
        """Whether the handle was given back."""
        return not self._finalizer.alive

    def close(self) -> None:
        """Gives the handle back. Doing so again does nothing."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
