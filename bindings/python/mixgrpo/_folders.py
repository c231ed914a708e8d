"""Folders of checkpoints: 'could not look' is not 'is not there'."""

import os
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
