"""Stands in for PyTorch and what belongs to it, so that documentation of `mixgrpo.torch` needs no installation of a gigabyte.

Capital names and those of annotations are classes, all others modules that do nothing when they are called.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

import numpy.typing

PACKAGES = {"torch", "diffusers", "safetensors", "peft", "transformers", "PIL"}
CLASSES = {"device", "dtype"}


class StandIn(types.ModuleType):
    """A module with every name that is asked for."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        made = (
            type(name, (), {"__module__": self.__name__})
            if name[0].isupper() or name in CLASSES
            else module(self, name)
        )
        setattr(self, name, made)
        return made

    def __call__(self, *arguments: object, **options: object) -> object:
        """As a decorator it changes nothing."""
        return (
            arguments[0]
            if len(arguments) == 1 and callable(arguments[0]) and not options
            else lambda decorated: decorated
        )

    def __repr__(self) -> str:
        return self.__name__


def module(parent: StandIn, name: str) -> types.ModuleType:
    return importlib.import_module(f"{parent.__name__}.{name}")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return (
            importlib.machinery.ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in PACKAGES else None
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def install() -> None:
    sys.meta_path.insert(0, Finder())


def name_array_types() -> None:
    """Signatures say ArrayLike and NDArray instead of the unions that NumPy defines them as."""
    for name in ("ArrayLike", "NDArray"):
        body = {"__module__": "numpy.typing", "__class_getitem__": classmethod(types.GenericAlias)}
        setattr(numpy.typing, name, type(name, (), body))
