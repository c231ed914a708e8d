"""What the generated configurations have in common."""

import ctypes
import difflib
import functools
import os
import re
from collections.abc import Callable
from dataclasses import fields
from enum import IntEnum
from typing import Any, Generic, Self, TypeVar

from . import _abi
from ._arguments import chosen
from ._arrays import doubles
from ._library import call, create, library
from ._structs import from_struct, to_struct
from .errors import InvalidArgumentError

_Case = TypeVar("_Case", bound=IntEnum)
_Name = TypeVar("_Name", bound=str)


class Choice(Generic[_Case, _Name]):
    """A field that holds a case of an enum, and may also be given by the case's name in lower case."""

    def __init__(self, default: _Case) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> _Case:
        return self._default if instance is None else instance.__dict__.get(self._name, self._default)

    def __set__(self, instance: object, value: _Case | _Name) -> None:
        instance.__dict__[self._name] = chosen(type(self._default), value, self._name)


class Configuration:
    """A configuration, checked when it is made: a wrong value raises `InvalidArgumentError` naming every field that is
    wrong. A choice may also be given by its name in lower case, such as `dynamics="dance"`. Its `repr` shows the fields
    that differ from their defaults."""

    def __new__(cls, *_: Any, **settings: Any) -> Self:
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for name in settings:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                raise TypeError(
                    f"{cls.__name__}: no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            if field.default is None and getattr(self, field.name) is not None:
                values = doubles(getattr(self, field.name), field.name).reshape(-1)
                object.__setattr__(self, field.name, tuple(values.tolist()))
            if isinstance(field.default, IntEnum):  # also in a subclass that states another default
                choice = chosen(type(field.default), getattr(self, field.name), field.name)
                object.__setattr__(self, field.name, choice)
        name = next(kind.__name__ for kind in type(self).__mro__ if kind.__name__ in _CHECKS)
        try:
            _CHECKS[name](to_struct(getattr(_abi, name), self))
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{error}{self._defaults_in(str(error))}") from None

    def _defaults_in(self, problems: str) -> str:
        """Says which of the values that do not fit are defaults that nobody has set."""
        wrong = set(re.findall(r"(?:^|; )(\w+): expected", problems))
        unset = [field for field in fields(self) if field.name in wrong]  # type: ignore[arg-type]
        defaults = [
            f"{field.name}={_text(field.default)}" for field in unset if getattr(self, field.name) == field.default
        ]
        return f"; set what is a default: {', '.join(defaults)}" if defaults else ""

    def __repr__(self) -> str:
        values = ((field, getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type]
        changed = [f"{field.name}={_text(value)}" for field, value in values if value != field.default]
        return f"{type(self).__name__}({', '.join(changed)})"


def _text(value: Any) -> str:
    return repr(value.name.lower()) if isinstance(value, IntEnum) else repr(value)


class ModelFolder(Configuration):
    """Sizes of a model, which stand in its folder."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Reads `folder`/config.json alone. Raises `InputOutputError`; `InvalidFormatError`; `UnsupportedError` for
        another model class."""
        struct = _abi.ModelConfig()
        call("mixgrpo_model_config_load", folder, ctypes.byref(struct))
        return from_struct(cls, struct)


# The library's own checks. Where none takes a configuration alone, the cheapest function that takes it.


def _check_sampling(struct: Any) -> None:
    call("mixgrpo_config_check", ctypes.byref(struct), None)


def _check_learning(struct: Any) -> None:
    call("mixgrpo_config_check", None, ctypes.byref(struct))


def _check_model(struct: Any) -> None:
    work = to_struct(_abi.Workload, dict(prompt_count=1, token_count=1, text_length=1, max_batch=1, threads=1))
    work.channels = min(max(struct.in_channels, 1), 65536)  # its range is checked as that of the model
    call(
        "mixgrpo_plan_predict_memory", _default_plan(), 0, _abi.WINDOW_START_SCHEDULED, None, ctypes.byref(struct),
        ctypes.byref(work), ctypes.byref(_abi.Memory()),
    )  # fmt: skip


def _check_sample(struct: Any) -> None:
    evaluation = _abi.EvaluationConfig()
    call("mixgrpo_evaluation_config_init", ctypes.byref(evaluation), ctypes.sizeof(evaluation))
    _create_evaluation(evaluation, struct)


def _check_evaluation(struct: Any) -> None:
    sample = _abi.SampleConfig()
    call("mixgrpo_sample_config_init", ctypes.byref(sample), ctypes.sizeof(sample))
    _create_evaluation(struct, sample)


def _create_evaluation(evaluation: Any, sample: Any) -> None:
    """An evaluation of one prompt by a trained and a held-out reward, gone at once."""
    prompt, weights = (ctypes.c_int32 * 1)(0), (ctypes.c_double * 2)(1, 1)
    names, held_out = (ctypes.c_char_p * 2)(b"trained", b"held out"), (ctypes.c_uint8 * 2)(0, 1)
    handle = create(
        "mixgrpo_evaluation_create",
        ctypes.byref(evaluation),
        ctypes.byref(sample),
        prompt,
        1,
        names,
        weights,
        held_out,
        2,
    )
    library.mixgrpo_evaluation_destroy(handle)


@functools.cache
def _default_plan() -> int:
    sampling = _abi.SamplingConfig()
    call("mixgrpo_config_init", ctypes.byref(sampling), ctypes.sizeof(sampling), None, 0)
    return create("mixgrpo_plan_create", ctypes.byref(sampling), None, 0)


_CHECKS: dict[str, Callable[[Any], None]] = {
    "ModelConfig": _check_model,
    "SamplingConfig": _check_sampling,
    "LearningConfig": _check_learning,
    "SampleConfig": _check_sample,
    "EvaluationConfig": _check_evaluation,
}
