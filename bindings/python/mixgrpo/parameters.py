"""The weight tensors of a model: names, shapes, and their values as arrays."""

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arrays import FloatArray, floats, output, pointer, shaped
from ._handle import Object
from ._library import call


@dataclass(frozen=True)
class Parameter:
    """One weight tensor, under the checkpoint's name."""

    name: str
    shape: tuple[int, ...]
    """(out, in) of a matrix, (out,) of a vector."""
    offset: int
    """Of its first value in the flat vector of all weights."""
    count: int
    """Number of values."""


def parameters_of(model: int) -> Iterator[Parameter]:
    """All weight tensors of the model with this handle, in the order of the flat vector."""
    tensors = ctypes.c_size_t()
    call("mixgrpo_model_get_size", model, ctypes.byref(tensors), None)
    info = _abi.ParameterInfo()
    for index in range(tensors.value):
        call("mixgrpo_model_get_parameter", model, index, ctypes.byref(info))
        yield Parameter(info.name.decode(), tuple(info.shape)[: info.rank], info.offset, info.count)


class Tensors(Mapping[str, FloatArray]):
    """The weights of a model, or their gradients, by name.

    `tensors[name]` is a copy, float32 in the parameter's shape; `tensors[name] = values` writes. `read` and `write`
    move the flat vector of all of them. Writing raises `InvalidArgumentError` for another shape and for a value that is not
    finite, and then writes nothing.
    """

    def __init__(self, model: Object, parameters: Mapping[str, Parameter], kind: str) -> None:
        self._model = model
        self._parameters = parameters
        self._kind = kind

    def __repr__(self) -> str:
        return f"<{self._kind} of {self._model!r}>"

    @property
    def size(self) -> int:
        """The number of values in all."""
        return sum(parameter.count for parameter in self._parameters.values())

    def read(self, out: FloatArray | None = None) -> FloatArray:
        """The flat vector, (size), into `out` if given."""
        out = output(out, (self.size,), np.float32)
        return self._read(0, out)

    def write(self, values: ArrayLike) -> None:
        """Replaces the flat vector, (size)."""
        self._write(0, shaped(floats(values, self._kind), (self.size,), self._kind))

    def __getitem__(self, name: str) -> FloatArray:
        parameter = self._parameters[name]
        return self._read(parameter.offset, np.empty(parameter.shape, np.float32))

    def __setitem__(self, name: str, values: ArrayLike) -> None:
        parameter = self._parameters[name]
        self._write(parameter.offset, shaped(floats(values, name), parameter.shape, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def _read(self, offset: int, out: FloatArray) -> FloatArray:
        call(f"mixgrpo_model_get_{self._kind}", self._model.handle, offset, pointer(out), out.size)
        return out

    def _write(self, offset: int, values: FloatArray) -> None:
        call(f"mixgrpo_model_set_{self._kind}", self._model.handle, offset, pointer(values), values.size)
