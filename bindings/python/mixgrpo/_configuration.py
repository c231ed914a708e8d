"""What the generated configurations have in common."""

import ctypes
import difflib
import os
from dataclasses import fields
from enum import IntEnum
from typing import Any, Self

from . import _abi
from ._library import call
from ._structs import from_struct
from .errors import InvalidArgumentError


class Configuration:
    """A configuration. A choice may also be given by its name in lower case, such as `dynamics="dance"`."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            if isinstance(field.default, IntEnum):
                choice = chosen(type(field.default), getattr(self, field.name), field.name)
                object.__setattr__(self, field.name, choice)


def chosen(kind: type[IntEnum], value: Any, name: str) -> IntEnum:
    """The case of an enum by itself, its number or its name. Raises `InvalidArgumentError`, with the nearest name."""
    names = [case.name.lower() for case in kind]
    if isinstance(value, str) and value in names:
        return kind[value.upper()]
    if not isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            pass
    near = difflib.get_close_matches(value, names, 1) if isinstance(value, str) else []
    suggestion = f" such as {near[0]!r}" if near else ""
    raise InvalidArgumentError(f"{name}: expected one of {', '.join(names)}{suggestion}, got {value!r}")


class ModelFolder(Configuration):
    """Sizes of a model, which stand in its folder."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Reads `folder`/config.json alone. Raises `InputOutputError`; `InvalidFormatError`; `UnsupportedError` for another
        model class."""
        struct = _abi.ModelConfig()
        call("mixgrpo_model_config_load", os.fspath(folder), ctypes.byref(struct))
        return from_struct(cls, struct)
