"""Between the structs of the C interface and dataclasses of the same field names."""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from . import _abi
from ._library import call
from ._types import Struct, integer_in_range, real
from .errors import InvalidArgumentError

_Struct = TypeVar("_Struct", bound=Struct)
_Data = TypeVar("_Data")


def to_struct(kind: type[_Struct], data: Any) -> _Struct:
    """A struct with the fields of a dataclass or mapping. Raises `InvalidArgumentError` where a value does not fit."""
    struct = kind()
    kinds = {name: field_kind for name, field_kind, *_ in kind._fields_}
    values = data if isinstance(data, Mapping) else {field.name: getattr(data, field.name) for field in fields(data)}
    for name, value in values.items():
        _set(struct, name, kinds[name], value)
    return struct


def optional_struct(kind: type[Struct], data: Any) -> Any:
    """A reference to such a struct for a call; None is NULL."""
    return None if data is None else ctypes.byref(to_struct(kind, data))


def from_struct(kind: type[_Data], struct: Any) -> _Data:
    """A dataclass with the fields of a struct, as enums, flags, tuples and text where the dataclass says so."""
    values = {name: _python(getattr(struct, name), hint) for name, hint in get_type_hints(kind).items()}
    return kind(**values)


def read_struct(kind: type[_Data], function: str, *arguments: Any, run: Callable[..., None] = call) -> _Data:
    """A dataclass with what a function writes to its last parameter, a struct of the same name."""
    struct = getattr(_abi, kind.__name__)()
    run(function, *arguments, ctypes.byref(struct))
    return from_struct(kind, struct)


def _set(struct: Any, name: str, kind: Any, value: Any) -> None:
    try:
        if hasattr(kind, "contents"):
            if value is not None:
                _set_array(struct, name, kind, value)
        elif issubclass(kind, ctypes.Array):
            if not isinstance(value, (tuple, list)) or len(value) != kind._length_:
                raise ValueError(f"expected {kind._length_} values, got {value!r}")
            items = [_checked(kind._type_, item) for item in value]
            setattr(struct, name, kind(*items))
        else:
            setattr(struct, name, _checked(kind, value))
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name}: {error}") from None


def _set_array(struct: Any, name: str, kind: Any, value: Any) -> None:
    """Points to a copy of the values, which the struct keeps alive."""
    items = [_checked(kind._type_, item) for item in value]
    setattr(struct, name, (kind._type_ * len(items))(*items))
    setattr(struct, f"{name.removesuffix('s')}_count", len(items))


def _checked(kind: Any, value: Any) -> Any:
    return real(value) if kind is ctypes.c_double else integer_in_range(kind, value)


def _python(value: Any, hint: Any) -> Any:
    if isinstance(value, ctypes.Array):
        return tuple(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(hint, type) and issubclass(hint, (Enum, bool)):
        return hint(value)
    return value
