"""Files and folders of a run: 'could not look' is not 'is not there'."""

import os
import tempfile
from pathlib import Path

from .errors import InputOutputError


def paths_in(folder: Path) -> list[Path]:
    """What a folder holds; nothing when it is missing. Raises `InputOutputError` when the system cannot say."""
    try:
        return [folder / name for name in os.listdir(folder)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputOutputError(f"{folder}: expected a folder that can be read, got {error}") from error


def require_place(path: Path) -> None:
    """Raises `InputOutputError` where the folder of a file or folder is missing, before any work is done for it."""
    if not path.parent.is_dir():
        raise InputOutputError(f"{path}: expected an existing folder around it, got none: {path.parent}")


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file aside and then renames it, so that there is always a whole one. Raises `InputOutputError`."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_creation_mask()
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".mixgrpo-", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, mode)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise InputOutputError(f"{path}: expected a file that can be replaced, got {error}") from error


def _creation_mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
