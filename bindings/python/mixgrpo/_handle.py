"""What all objects of the library have in common in Python: one handle, given back once."""

import weakref
from typing import Any, ClassVar, NoReturn, Self

from ._library import library
from .errors import InvalidStateError, UnsupportedError


class Object:
    """An object of the library. Use it in a `with` statement, call `close`, or let the garbage collector do it.

    Objects keep alive what they were built from, so that they may be closed in any order. One object must not be used
    by two threads at once; different objects may.
    """

    _destroy: ClassVar[str]
    _handle: int
    _finalizer: Any = None

    def _adopt(self, handle: int) -> None:
        self._handle = handle
        self._finalizer = weakref.finalize(self, getattr(library, self._destroy), handle)

    @property
    def handle(self) -> int:
        """The handle for calls of the C interface. Raises `InvalidStateError` once closed."""
        if self.closed:
            raise InvalidStateError(f"{type(self).__name__}: expected an open object, got a closed one")
        return self._handle

    @property
    def closed(self) -> bool:
        """Whether the handle was given back."""
        return self._finalizer is None or not self._finalizer.alive

    def close(self) -> None:
        """Gives the handle back. Doing so again does nothing."""
        if self._finalizer is not None:
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._finalizer is None:
            return f"<{name}, not created>"
        return f"<{name}, closed>" if self.closed else f"<{name}, {self._state()}>"

    def _state(self) -> str:
        """Sizes and state of an open object, for `repr`."""
        return "open"

    def __reduce__(self) -> NoReturn:
        raise UnsupportedError(
            f"{type(self).__name__}: expected an object that can be copied or pickled, got one whose data belong to this "
            "process; create it again where it is needed, or save it to a folder"
        )
