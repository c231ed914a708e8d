"""What the library refuses, as exceptions. Each carries the library's message: field, expected, got."""

from typing import ClassVar

from .enums import Status


class MixGRPOError(Exception):
    """Any failure of the library. On failure nothing was changed, unless the function says otherwise."""

    status: ClassVar[Status] = Status.INTERNAL


class CancelledError(MixGRPOError):
    """The context was cancelled; everything is as before the call."""

    status = Status.CANCELLED


class InvalidArgumentError(MixGRPOError, ValueError):
    """A value out of its range, of the wrong size or shape, or not finite."""

    status = Status.INVALID_ARGUMENT


class InvalidStateError(MixGRPOError, RuntimeError):
    """The call does not fit what came before, such as a submit without a request."""

    status = Status.INVALID_STATE


class BufferTooSmallError(MixGRPOError, ValueError):
    """An output array is smaller than what would be written."""

    status = Status.BUFFER_TOO_SMALL


class OutOfMemoryError(MixGRPOError, MemoryError):
    """Memory that the call needs cannot be had."""

    status = Status.OUT_OF_MEMORY


class InputOutputError(MixGRPOError, OSError):
    """The operating system refused to read or write."""

    status = Status.INPUT_OUTPUT


class InvalidFormatError(MixGRPOError, ValueError):
    """A file's content is not what its format demands."""

    status = Status.INVALID_FORMAT


class UnsupportedError(MixGRPOError, NotImplementedError):
    """A valid request that this build or machine cannot serve."""

    status = Status.UNSUPPORTED


class NotFiniteError(MixGRPOError, ArithmeticError):
    """A result would be NaN or infinite; it was not applied."""

    status = Status.NOT_FINITE


class DivergedError(MixGRPOError, ArithmeticError):
    """An update would take the model too far from what it was; it was not applied."""

    status = Status.DIVERGED


class InternalError(MixGRPOError):
    """A fault of the library itself."""


_BY_STATUS: dict[int, type[MixGRPOError]] = {kind.status: kind for kind in MixGRPOError.__subclasses__()}  # those above


def status_of(error: BaseException) -> Status:
    """The status that stands for an error of any kind."""
    if isinstance(error, MixGRPOError):
        return error.status
    return Status.CANCELLED if isinstance(error, KeyboardInterrupt) else Status.INTERNAL


def text_of(error: BaseException) -> str:
    """The message that stands for it."""
    return str(error) if isinstance(error, MixGRPOError) else f"{type(error).__name__}: {error}"


def error_of(status: int, message: str) -> MixGRPOError:
    """The exception for a status other than OK."""
    return _BY_STATUS.get(status, InternalError)(message)
