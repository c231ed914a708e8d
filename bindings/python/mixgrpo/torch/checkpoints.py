"""A folder with the checkpoints of one run over a PyTorch model: `iteration-00000042.pt` and so on, or a folder
`iteration-00000042` where the model is sharded over ranks."""

import io
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from .._folders import paths_in
from ..errors import InputOutputError, InvalidArgumentError, InvalidFormatError, InvalidStateError
from .sharded_checkpoints import STATE_FILE, damage

_NAME = re.compile(r"iteration-(\d{8,})(?:\.pt)?")
_ASIDE = "writing.shards"


def write_checkpoint(folder: Path, iteration: int, content: Any, *, keep_last: int, keep_every: int) -> None:
    """Saves a file as `save_checkpoint` does."""
    save_checkpoint(
        folder, iteration, lambda: _replace(folder / f"iteration-{iteration:08d}.pt", content), keep_last, keep_every
    )


def begun_sharded(folder: Path) -> Path:
    """Where the parts of all ranks are written."""
    return folder / _ASIDE


def begin_sharded(folder: Path) -> None:
    """Makes that an empty folder. Raises `InputOutputError`."""
    aside = begun_sharded(folder)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    except OSError as error:
        raise InputOutputError(f"{folder}: expected to save a checkpoint, got {error}") from error


def finish_sharded(folder: Path, iteration: int, content: Any, *, keep_last: int, keep_every: int) -> None:
    """Completes what all ranks have written as `save_checkpoint` does."""

    def save() -> None:
        _replace(folder / _ASIDE / STATE_FILE, content)
        target = folder / f"iteration-{iteration:08d}"
        _remove(target)
        os.replace(folder / _ASIDE, target)
        _make_durable(folder)

    save_checkpoint(folder, iteration, save, keep_last, keep_every)


def save_checkpoint(folder: Path, iteration: int, save: Callable[[], None], keep_last: int, keep_every: int) -> None:
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
        save()
        earlier = sorted(number for number in others if number < iteration)
        outdated = [*earlier, iteration][:-keep_last]
        for gone in incomplete + [number for number in outdated if keep_every == 0 or number % keep_every != 0]:
            _remove(others[gone])
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


def newest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """The newest complete checkpoint, and how many newer ones are incomplete; None when there is none.

    Raises `InvalidFormatError` when there are checkpoints and none is complete; `InputOutputError`.
    """
    faults: list[str] = []
    try:
        for _, path in sorted(_numbered(folder), reverse=True):
            if (fault := _fault(path)) is None:
                return path, len(faults)
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


def _remove(path: Path) -> None:
    """A folder gets another name first, so that none is left in part."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    gone = path.with_name("removing.shards")
    shutil.rmtree(gone, ignore_errors=True)
    os.replace(path, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint; None for a complete one: all is there, and every checksum is right."""
    if not path.is_dir():
        return _file_fault(path)
    state = path / STATE_FILE
    if not state.is_file():
        return f"expected {STATE_FILE}, got none"
    return _file_fault(state) or damage(path, _read(state).get("files", {}))


def _file_fault(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        return f"expected a file of torch.save, got {error}"
    return None if damaged is None else f"expected correct checksums, got a wrong one for {damaged}"


def read_checkpoint(path: Path) -> Any:
    """The content of a checkpoint on the CPU; of a sharded one without its tensors."""
    return _read(path / STATE_FILE if path.is_dir() else path)


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
    _make_durable(path.parent)


def _make_durable(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
