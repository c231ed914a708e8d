"""Folders of weights in the format of transformers, and single files of weights. Nothing is downloaded."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .._arguments import path
from ..errors import InputOutputError, InvalidArgumentError, InvalidFormatError, MixGRPOError


def model_folder(folder: Any, kinds: Mapping[str, str], hub: str) -> Path:
    """A folder whose config.json is of one of these kinds, model_type → name. `hub`: where to get one. Raises
    `InvalidArgumentError`, `InvalidFormatError`."""
    place = path(folder, "folder")
    file = place / "config.json"
    if not file.is_file():
        raise InvalidArgumentError(
            f"folder: expected one with config.json, got {str(place)!r}; download one: hf download {hub} --local-dir FOLDER"
        )
    try:
        kind = json.loads(file.read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidFormatError(f"{file}: expected a model's settings in JSON: {error}") from None
    if kind not in kinds:
        expected = " or ".join(f"{name} (model_type {key})" for key, name in kinds.items())
        raise InvalidFormatError(f"{file}: expected {expected}, such as {hub}, got model_type {kind!r}")
    return place


def part(kind: Any, folder: Path, **settings: Any) -> Any:
    """A tokenizer, processor or configuration of a folder. Raises `InvalidFormatError`."""
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, **settings)
    except Exception as error:
        raise _unreadable(folder, f"the files of {kind.__name__}", error) from error


def model(kind: Any, folder: Path) -> torch.nn.Module:
    """A model with all its weights from a folder. Raises `InvalidFormatError` for one that lacks some, which
    transformers would fill with random numbers."""
    try:
        made, report = kind.from_pretrained(str(folder), local_files_only=True, output_loading_info=True)
    except Exception as error:
        raise _unreadable(folder, f"the weights of {kind.__name__}", error) from error
    if missing := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
        raise InvalidFormatError(
            f"{folder}: expected all weights of {kind.__name__}, got none or another shape for {missing[0]} and "
            f"{len(missing) - 1} more; is this the folder of another model?"
        )
    return made  # type: ignore[no-any-return]


def weights_file(file: Path) -> dict[str, torch.Tensor]:
    """The weights of a file of PyTorch or safetensors, by name, also those inside "state_dict". Runs nothing that the
    file contains. Raises `InputOutputError`, `InvalidFormatError`."""
    if not file.is_file():
        raise InputOutputError(f"{file}: expected a file of weights, got none")
    try:
        content = _read(file)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise InvalidFormatError(f"{file}: expected weights of PyTorch or safetensors: {error}") from None
    weights = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise InvalidFormatError(f"{file}: expected weights by name, got {type(weights).__name__}")
    return weights


def fill(module: torch.nn.Module, weights: Mapping[str, torch.Tensor], file: Path) -> None:
    """Copies weights into a module that has exactly these. Raises `InvalidFormatError`."""
    try:
        module.load_state_dict(weights, assign=False)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InvalidFormatError(f"{file}: expected the weights of {type(module).__name__}: {reason}") from None


def _read(file: Path) -> Any:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def _unreadable(folder: Path, expected: str, error: Exception) -> MixGRPOError:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InvalidFormatError(f"{folder}: expected {expected}: {reason}")
