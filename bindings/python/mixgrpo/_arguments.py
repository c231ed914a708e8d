"""Arguments of the wrong kind, refused by name before anything uses them."""

import inspect
import os
from collections.abc import Sequence
from difflib import get_close_matches
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .errors import InvalidArgumentError

_Kind = TypeVar("_Kind")
_Choice = TypeVar("_Choice", bound=IntEnum)

_WAYS = {
    "Evaluator": "mixgrpo.Evaluator(model, …)",
    "ModelConfig": "mixgrpo.ModelConfig(num_layers=2); Model.load(folder) reads a model",
    "Model": "mixgrpo.Model.load(folder)",
    "Optimizer": "mixgrpo.Optimizer(model.parameter_count, …)",
    "Prompts": "mixgrpo.Prompts.hashed_words(lines, …)",
    "Trainer": "mixgrpo.Trainer(evaluator, prompts, …)",
}
"""How an object that is often confused with another is made."""


def instance(value: Any, kind: type[_Kind], name: str) -> _Kind:
    """The argument itself, if it is of this kind. Raises `InvalidArgumentError` with the argument's name."""
    if isinstance(value, kind):
        return value
    way = f", such as {_WAYS[kind.__name__]}" if kind.__name__ in _WAYS else ""
    raise InvalidArgumentError(f"{name}: expected {_article(kind.__name__)}{way}, got {short(value)}")


def optional(value: Any, kind: type[_Kind], name: str) -> _Kind | None:
    """As `instance`; None stays None."""
    return None if value is None else instance(value, kind, name)


def function(value: Any, name: str, takes: str, count: int = 1) -> Any:
    """The argument itself, if it can be called with `count` values. `takes`: what they are."""
    if not callable(value) or isinstance(value, type):
        raise InvalidArgumentError(f"{name}: expected a function of {takes}, got {short(value)}")
    try:
        parameters = inspect.signature(value)
    except (TypeError, ValueError):  # not every function of C has one
        return value
    try:
        parameters.bind(*[None] * count)
    except TypeError:
        raise InvalidArgumentError(f"{name}: expected a function of {takes}, got one that takes {parameters}") from None
    return value


def whole(value: Any, name: str, low: int, high: int | None = None) -> int:
    """A whole number of low…high."""
    values = f"{low} or more" if high is None else f"{low}…{high}"
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if is_whole and low <= value and (high is None or value <= high):
        return int(value)
    raise InvalidArgumentError(f"{name}: expected a whole number, {values}, got {short(value)}")


def path(value: Any, name: str) -> Path:
    """A file or folder."""
    if isinstance(value, (str, os.PathLike)) and str(value):
        return Path(value)
    raise InvalidArgumentError(f"{name}: expected a path, got {short(value)}")


def chosen(kind: type[_Choice], value: Any, name: str) -> _Choice:
    """The case of an enum by itself, its number or its name. Raises `InvalidArgumentError`, with the nearest name."""
    if not isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            pass
    return kind[one_of(value, [case.name.lower() for case in kind], name).upper()]


def one_of(value: Any, names: Sequence[str], name: str) -> str:
    """One of some names. Raises `InvalidArgumentError`, with the nearest one."""
    if isinstance(value, str) and value in names:
        return value
    near = get_close_matches(value.lower(), names, 1) if isinstance(value, str) else []
    suggestion = f" such as {near[0]!r}" if near else ""
    raise InvalidArgumentError(f"{name}: expected one of {', '.join(names)}{suggestion}, got {short(value)}")


def short(value: Any) -> str:
    """A value in an error: text as it stands, of everything else the kind, and no more than a line."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {value.shape}"
    if value is None or isinstance(value, (str, bytes, bool, int, float)):
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:77]}…"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    kind = type(value).__name__
    return f"a function ({value.__name__})" if kind == "function" else _article(kind)


def _article(noun: str) -> str:
    if noun.endswith("s"):
        return noun
    return f"{'an' if noun[:1] in 'AEIOaeio' else 'a'} {noun}"
