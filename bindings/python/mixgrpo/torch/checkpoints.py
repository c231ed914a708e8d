"""A folder with the checkpoints of one run over a PyTorch model: `iteration-00000042.pt` and so on."""

import io
import os
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from .._folders import paths_in
from ..errors import InputOutputError, InvalidArgumentError, InvalidFormatError, InvalidStateError

_NAME = re.compile(r"iteration-(\d{8,})\.pt")


def write_checkpoint(folder: Path, iteration: int, content: Any, *, keep_last: int, keep_every: int) -> None:
    """Saves under the iteration's number, then removes all but the newest `keep_last` and those whose iteration is
    a multiple of `keep_every`. At any moment the folder holds a complete checkpoint if it held one.

    Raises `InvalidStateError` when there is a complete checkpoint of a later iteration; `InputOutputError`.
    """
    if not 1 <= keep_last <= 1_000_000 or keep_every < 0:
        raise InvalidArgumentError(
            f"keep_last, keep_every: expected 1…1000000 and 0 or more, got {keep_last} and {keep_every}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = {number: path for number, path in _numbered(folder) if number != iteration}
        incomplete = [number for number in others if number > iteration]
        for later in incomplete:
            if _fault(others[later]) is None:
                raise InvalidStateError(
                    f"{folder}: expected no checkpoint after iteration {iteration}, got one of iteration {later}: "
                    "resume from it, or choose another folder"
                )
        _replace(folder / f"iteration-{iteration:08d}.pt", content)
        earlier = sorted(number for number in others if number < iteration)
        outdated = [*earlier, iteration][:-keep_last]
        for gone in incomplete + [number for number in outdated if keep_every == 0 or number % keep_every != 0]:
            others[gone].unlink(missing_ok=True)
    except OSError as error:
        raise InputOutputError(f"{folder}: expected to save a checkpoint, got {error}") from error


def require_readable(name: str, state: Any) -> None:
    """Raises `InvalidArgumentError` unless `_read` will take what is saved of this state. Plain tensors, which it takes and
    which are large, are not checked."""
    file = io.BytesIO()
    try:
        torch.save(_without_tensors(state), file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except Exception as error:  # whatever an object of the host raises when it is pickled
        reason = str(error).partition("\n")[0]
        raise InvalidArgumentError(f"{name}: expected a state of tensors, numbers and texts, got {reason}") from error


def _without_tensors(state: Any) -> Any:
    if type(state) is torch.Tensor:
        return None
    if type(state) is dict:
        return {name: _without_tensors(part) for name, part in state.items()}
    return [_without_tensors(part) for part in state] if type(state) in (list, tuple) else state


def newest_checkpoint(folder: Path) -> tuple[Any, int] | None:
    """The content of the newest complete checkpoint, on the CPU, and how many newer ones are incomplete; None when
    there is none.

    Raises `InvalidFormatError` when there are checkpoints and none is complete; `InputOutputError`.
    """
    faults: list[str] = []
    try:
        for _, path in sorted(_numbered(folder), reverse=True):
            if (fault := _fault(path)) is None:
                return _read(path), len(faults)
            faults.append(f"{path.name}: {fault}")
    except OSError as error:
        raise InputOutputError(f"{folder}: expected to read checkpoints, got {error}") from error
    if faults:
        raise InvalidFormatError(f"{folder}: expected a complete checkpoint, got none: {'; '.join(faults)}")
    return None


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in paths_in(folder):
        if match := _NAME.fullmatch(path.name):
            yield int(match[1]), path


def _fault(path: Path) -> str | None:
    """What is wrong with a file; None for a complete one: its directory is there, and every checksum is right."""
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        return f"expected a file of torch.save, got {error}"
    return None if damaged is None else f"expected correct checksums, got a wrong one for {damaged}"


def _read(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidFormatError(f"{path}: expected tensors, numbers and texts, got {reason}") from error


def _replace(path: Path, content: Any) -> None:
    """Writes aside and moves into place, each made durable before the next."""
    aside = path.with_name("writing.tmp")
    try:
        with aside.open("wb") as file:
            try:
                torch.save(content, file)
            except RuntimeError as error:  # what torch makes of a full disk
                raise OSError(str(error).partition("\n")[0]) from error
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
