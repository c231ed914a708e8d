"""Finds, checks and calls the shared library.

It is looked for in this order: the file named by the environment variable `MIXGRPO_LIBRARY` (nothing else, when it is
set), the file beside this package, the build folder of the source checkout that this package lies in, and the system's
library folders.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

from . import _abi
from ._types import Handle
from ._version import __version__
from .errors import InvalidArgumentError, error_of

FILE_NAME = "libmixgrpo.dylib" if sys.platform == "darwin" else "libmixgrpo.so"
VARIABLE = "MIXGRPO_LIBRARY"


def candidates() -> list[str]:
    """Where the library may be, best first. A name without a folder is left to the system."""
    if chosen := os.environ.get(VARIABLE):
        return [chosen]
    package = Path(__file__).resolve().parent
    files = [package / FILE_NAME]
    if (checkout := source_checkout(package)) is not None:
        files.append(checkout / ".build" / "release" / FILE_NAME)
    return [str(file) for file in files if file.exists()] + [f"{FILE_NAME}.0", FILE_NAME]


def source_checkout(package: Path) -> Path | None:
    """The checkout that holds this package at `bindings/python/mixgrpo`, if it is one."""
    for folder in package.parents[2:3]:
        if (folder / "Package.swift").exists() and (folder / "include" / "mixgrpo.h").exists():
            return folder
    return None


def load() -> tuple[ctypes.CDLL, str]:
    """The library with its functions declared, and where it was found. Raises `ImportError`."""
    problems = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            problems.append(str(error))
            continue
        declare(library, path)
        return library, path
    raise ImportError(
        f"mixgrpo: no usable {FILE_NAME} was found. Build it with `make library` in the source "
        f"checkout, install it, or name the file in {VARIABLE}. Tried: " + "; ".join(problems)
    )


def declare(library: ctypes.CDLL, path: str) -> None:
    """Checks that the library is one that this package can use, then gives its functions their types."""
    try:
        library.mixgrpo_version.restype = ctypes.c_char_p
        found = int(library.mixgrpo_abi_version())
        release = library.mixgrpo_version().decode()
    except AttributeError:
        raise ImportError(f"mixgrpo: {path} is not the MixGRPO library.") from None
    advice = f"Install the library and the package of one release, or name another file in {VARIABLE}."
    if found != _abi.ABI_VERSION:
        raise ImportError(
            f"mixgrpo: package {__version__} speaks binary interface {_abi.ABI_VERSION}, but {path} "
            f"(release {release}) speaks {found}. {advice}"
        )
    missing = [name for name in _abi.FUNCTIONS if not hasattr(library, name)]
    if missing:
        raise ImportError(
            f"mixgrpo: package {__version__} needs functions that {path} (release {release}) does not have: "
            f"{', '.join(missing)}. {advice}"
        )
    for name, function in _abi.FUNCTIONS.items():
        entry = getattr(library, name)
        entry.restype = function.result
        entry.argtypes = list(function.parameters.values())


library, library_path = load()


def call(function: str, *arguments: Any) -> None:
    """Calls a fallible function; raises a `MixGRPOError` when it fails."""
    try:
        status = getattr(library, function)(*arguments)
    except ctypes.ArgumentError as error:
        raise InvalidArgumentError(_named(function, str(error))) from None
    if status != 0:
        raise error_of(status, library.mixgrpo_last_error().decode(errors="replace"))


def create(function: str, *arguments: Any) -> int:
    """Calls a function whose last parameter gives out a handle, and returns the handle."""
    handle = Handle()
    call(function, *arguments, ctypes.byref(handle))
    return handle.value or 0


def read_text(function: str, *arguments: Any) -> str:
    """Calls a function that ends in (out_text, capacity, out_size), first for the size and then for the text."""
    size = ctypes.c_size_t()
    call(function, *arguments, None, 0, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    call(function, *arguments, buffer, size.value, ctypes.byref(size))
    return buffer.value.decode()


def library_version() -> str:
    """The release of the loaded library, such as "0.1.0"."""
    return str(library.mixgrpo_version().decode())


def _named(function: str, problem: str) -> str:
    """ctypes says "argument 2: ValueError: …"; a reader wants the name."""
    place, _, reason = problem.removeprefix("argument ").partition(": ")
    names = list(_abi.FUNCTIONS[function].parameters)
    name = names[int(place) - 1] if place.isdigit() and 0 < int(place) <= len(names) else function
    return f"{name}: {reason.partition(': ')[2] or reason}"
