"""Argument types of the C interface that refuse what does not fit, where plain ctypes would cut it off in silence."""

import ctypes
import operator
import os
from typing import Any, ClassVar, NamedTuple

Status = ctypes.c_int32
Handle = ctypes.c_void_p


def integer_in_range(kind: Any, value: Any) -> int:
    """The integer `value`, if it fits the ctypes integer type `kind`.

    Raises `TypeError` for what is no integer and `ValueError` for one out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"expected an integer, got {value!r}") from None
    bits = 8 * ctypes.sizeof(kind)
    signed = kind(-1).value < 0
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not low <= number <= high:
        raise ValueError(f"expected {low}…{high}, got {number}")
    return number


def real(value: Any) -> float:
    """The number `value`; text that looks like one is none."""
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def text_bytes(value: str | bytes | os.PathLike[Any]) -> bytes:
    """UTF-8 bytes for C. Raises `ValueError` for what C cannot take: a zero inside, or half a surrogate pair."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"expected a text or a path, got {value!r}")
    encoded = value.encode() if isinstance(value, str) else os.fsencode(value)
    if b"\0" in encoded:
        raise ValueError(f"expected text without zero bytes, got {encoded!r}")
    return encoded


class Int32(ctypes.c_int32):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(integer_in_range(ctypes.c_int32, value))


class Int64(ctypes.c_int64):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(integer_in_range(ctypes.c_int64, value))


class UInt64(ctypes.c_uint64):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(integer_in_range(ctypes.c_uint64, value))


class Size(ctypes.c_size_t):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(integer_in_range(ctypes.c_size_t, value))


class Double(ctypes.c_double):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(real(value))


class Text(ctypes.c_char_p):
    @classmethod
    def from_param(cls, value: Any) -> Any:
        return cls(text_bytes(value))


class Struct(ctypes.Structure):
    """A struct of the header: it begins with its own size and is otherwise zero."""

    _fields_: ClassVar[Any] = [("struct_size", ctypes.c_uint32)]

    def __init__(self) -> None:
        super().__init__()
        self.struct_size = ctypes.sizeof(self)


Floats = ctypes.POINTER(ctypes.c_float)
Doubles = ctypes.POINTER(ctypes.c_double)
Integers = ctypes.POINTER(ctypes.c_int32)
Bytes = ctypes.POINTER(ctypes.c_uint8)


class Function(NamedTuple):
    """Return type, and parameters by name."""

    result: Any
    parameters: dict[str, Any]
