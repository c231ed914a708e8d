"""NumPy arrays on their way to and from C: used as they are when they fit, converted when they do not, refused when
they lie."""

import ctypes
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _types
from ._arguments import short
from ._types import text_bytes
from .errors import InvalidArgumentError, OutOfMemoryError

FloatArray: TypeAlias = NDArray[np.float32]
DoubleArray: TypeAlias = NDArray[np.float64]
IntegerArray: TypeAlias = NDArray[np.int32]
ByteArray: TypeAlias = NDArray[np.uint8]

_Scalar = TypeVar("_Scalar", bound=np.generic)
_POINTERS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): _types.Floats,
    np.dtype(np.float64): _types.Doubles,
    np.dtype(np.int32): _types.Integers,
    np.dtype(np.uint8): _types.Bytes,
}


def pointer(array: NDArray[Any] | None) -> Any:
    """The C pointer to an array's values; it keeps the array alive. None is NULL."""
    return None if array is None else array.ctypes.data_as(_POINTERS[array.dtype])


def size(array: NDArray[Any] | None) -> int:
    """The number of values, 0 for None."""
    return 0 if array is None else array.size


def floats(values: ArrayLike, name: str) -> FloatArray:
    """C-contiguous float32; no copy when `values` is that already."""
    return _real(values, np.float32, name)


def doubles(values: ArrayLike, name: str) -> DoubleArray:
    """C-contiguous float64; no copy when `values` is that already."""
    return _real(values, np.float64, name)


def integers(values: ArrayLike, name: str) -> IntegerArray:
    """C-contiguous int32; refuses fractions and what does not fit."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise InvalidArgumentError(f"{name}: expected integers, got {_kind(values, array)}")
    if array.size and not -(2**31) <= int(array.min()) <= int(array.max()) < 2**31:
        raise InvalidArgumentError(f"{name}: expected integers of 32 bits, got {array.min()}…{array.max()}")
    return np.ascontiguousarray(array, dtype=np.int32)


def pixels(values: ArrayLike, name: str) -> ByteArray:
    """C-contiguous uint8; refuses other types, whose scale is not known."""
    array = np.asarray(values)
    if array.dtype != np.uint8:
        raise InvalidArgumentError(f"{name}: expected uint8 in 0…255, got {array.dtype}")
    return np.ascontiguousarray(array)


def rows(values: ArrayLike, count: int, row_size: int, name: str) -> FloatArray:
    """float32 of shape (count, …) with `row_size` values in each row."""
    array = floats(values, name)
    if array.ndim < 2 or array.shape[0] != count or array.size != count * row_size:
        raise InvalidArgumentError(
            f"{name}: expected shape ({count}, {row_size}), or its rows split up, got {array.shape}"
        )
    return array


def shaped(array: NDArray[_Scalar], shape: tuple[int, ...], name: str, meaning: str = "") -> NDArray[_Scalar]:
    """The array itself, of exactly this shape."""
    if array.shape != shape:
        why = f" ({meaning})" if meaning else ""
        raise InvalidArgumentError(f"{name}: expected shape {shape}{why}, got {array.shape}")
    return array


def optional_floats(values: ArrayLike | None, shape: tuple[int, ...], name: str) -> FloatArray | None:
    """float32 of exactly this shape; None stays None."""
    return None if values is None else shaped(floats(values, name), shape, name)


def output(
    given: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    name: str = "out",
    apart_from: Sequence[NDArray[Any] | None] = (),
) -> Any:
    """Where results go: `given`, if it is fit to be written to as it is, or a new array."""
    if given is None:
        return _new(shape, dtype, name)
    if not isinstance(given, np.ndarray) or given.dtype != dtype or given.shape != shape:
        got = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
        raise InvalidArgumentError(f"{name}: expected an array of {np.dtype(dtype)} {shape}, got {got}")
    if not (given.flags.c_contiguous and given.flags.writeable and given.flags.aligned):
        raise InvalidArgumentError(f"{name}: expected a writeable C-contiguous array, got {given.flags!r}")
    if any(other is not None and np.may_share_memory(given, other) for other in apart_from):
        raise InvalidArgumentError(f"{name}: expected memory apart from the inputs, got an overlap")
    return given


def view(address: Any, shape: tuple[int, ...], dtype: type[_Scalar], owner: object) -> NDArray[_Scalar]:
    """A read-only array over memory of the library, which keeps `owner` alive."""
    count = int(np.prod(shape, dtype=np.int64)) if address else 0
    if count == 0:
        return np.empty((0, *shape[1:]), dtype)
    buffer = (address._type_ * count).from_address(ctypes.addressof(address.contents))
    buffer.owner = owner
    array = np.frombuffer(buffer, dtype).reshape(shape)
    array.flags.writeable = False
    return array


def texts(lines: Sequence[str], name: str) -> Any:
    """An array of C strings, which keeps the bytes alive."""
    if isinstance(lines, (str, bytes)) or not isinstance(lines, (Sequence, np.ndarray)):
        raise InvalidArgumentError(f"{name}: expected a sequence of texts, got {short(lines)}")
    encoded = []
    for index, line in enumerate(lines):
        if not isinstance(line, str):
            raise InvalidArgumentError(f"{name}[{index}]: expected a text, got {short(line)}")
        try:
            encoded.append(text_bytes(line))
        except ValueError as error:
            raise InvalidArgumentError(f"{name}[{index}]: {error}") from None
    return (ctypes.c_char_p * len(encoded))(*encoded)


def _new(shape: tuple[int, ...], dtype: DTypeLike, name: str) -> NDArray[Any]:
    try:
        return np.empty(shape, dtype)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name}: expected a shape that fits in memory, got {shape}: {error}") from None
    except MemoryError as error:
        raise OutOfMemoryError(f"{name}: expected memory for {shape}, got none: {error}") from None


def _kind(values: ArrayLike, array: NDArray[Any]) -> str:
    """What was given in place of an array of the right type."""
    if array.ndim == 0 or isinstance(values, np.ndarray):
        return short(values)
    kind = {"U": "texts", "S": "bytes", "O": "objects"}.get(array.dtype.kind, str(array.dtype))
    return f"{short(values)} of {kind}"


def _real(values: ArrayLike, dtype: type[_Scalar], name: str) -> NDArray[_Scalar]:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists; tensors on a GPU or with gradients
        raise InvalidArgumentError(f"{name}: expected an array of numbers, got {short(values)}: {error}") from None
    if array.size and array.dtype.kind not in "fiub":
        raise InvalidArgumentError(f"{name}: expected real numbers, got {_kind(values, array)}")
    with np.errstate(over="ignore"):
        return np.asarray(array, dtype=dtype, order="C")
