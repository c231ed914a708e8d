"""What a checkpoint of a trainer holds: the trained weights, the states of optimizer, scheduler and scaler, and the
progress of the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..errors import InvalidArgumentError, InvalidFormatError
from ..ranks import Ranks
from .checkpoints import begin_sharded, begun_sharded, finish_sharded, require_readable, write_checkpoint
from .ranks import TorchRanks
from .sharded_checkpoints import Shards, checksums, like, mapped, read_shards, tensor_kinds, whole
from .snapshot import trained_weights
from .tensors import kind_of

_FORMAT = 2


class SavedRun:
    """The holders of a run's state, on one of its ranks. `others`: scheduler and scaler, where there are any."""

    def __init__(self, ranks: Ranks, optimizer: torch.optim.Optimizer, *others: Any) -> None:
        self._ranks, self._optimizer = ranks, optimizer
        self._holders = [holder for holder in (optimizer, *others) if holder is not None]
        self._weights = trained_weights(optimizer)

    def content(self, progress: dict[str, Any]) -> dict[str, Any]:
        """What is saved. Raises `InvalidArgumentError` for a state that could not be read again."""
        states = [holder.state_dict() for holder in self._holders]
        for holder, state in zip(self._holders, states, strict=True):
            require_readable(type(holder).__name__, state)
        return {
            "format": _FORMAT,
            "weights": [weight.detach() for weight in self._weights],
            "states": states,
            "trainer": progress,
        }

    def write(self, folder: Path, iteration: int, content: dict[str, Any], kept: dict[str, int]) -> None:
        """Saves it: rank 0 a file, or each rank its part of a sharded model."""
        if isinstance(self._ranks, TorchRanks) and self._ranks.empty_round is not None:
            self._write_shards(self._ranks, folder, iteration, content, kept)
        else:
            content = mapped(content, lambda _, tensor: whole(tensor))
            self._ranks.first(lambda: write_checkpoint(folder, iteration, content, **kept))

    @staticmethod
    def _write_shards(
        ranks: TorchRanks, folder: Path, iteration: int, content: dict[str, Any], kept: dict[str, int]
    ) -> None:
        ranks.first(lambda: begin_sharded(folder))
        aside, shards = begun_sharded(folder), Shards(content)
        shards.write(aside, ranks.control)
        own = ranks.together(lambda: checksums(aside, f"__{ranks.index}_") | checksums(aside, ".metadata"))
        files: dict[str, Any] = {}
        for text in ranks.texts(json.dumps(own)):
            files |= json.loads(text)
        rest = {**shards.rest, "tensors": tensor_kinds(shards.tensors), "files": files}
        ranks.first(lambda: finish_sharded(folder, iteration, rest, **kept))

    def restore(self, path: Path, content: Any, load_progress: Callable[[Any], None]) -> None:
        """Takes over the content of a file or folder, and gives its progress to the trainer, last."""
        order = self._weights
        states, progress = self._ranks.together(lambda: self._checked(content))
        if "tensors" in content:
            group = self._ranks.control if isinstance(self._ranks, TorchRanks) else None
            weights, states = read_shards(path, content, self._optimizer, group)
        else:
            weights = [like(weight, saved) for weight, saved in zip(order, content["weights"], strict=True)]
            states[0] = mapped(states[0], lambda at, tensor: like(order[at[1]], tensor) if at[0] == "state" else tensor)
        with torch.no_grad():
            for weight, saved in zip(order, weights, strict=True):
                weight.copy_(saved)
        self._ranks.together(lambda: self._load(states, progress, load_progress))

    def _checked(self, content: Any) -> tuple[list[Any], Any]:
        """The states of optimizer and others, and of the trainer, of a checkpoint whose weights fit."""
        try:
            states, progress = list(content["states"]), content["trainer"]
            if "tensors" in content:
                named = [content["tensors"][f"weights.{number}"] for number in range(len(content["weights"]))]
                kinds = [f"{tuple(shape)} in torch.{dtype}" for shape, dtype in named]
            else:
                kinds = [kind_of(weight) for weight in content["weights"]]
            state_count = len(states)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidFormatError(f"checkpoint: expected a trainer's, got {type(error).__name__}: {error}") from None
        wanted = [kind_of(weight) for weight in self._weights]
        if len(kinds) != len(wanted) or state_count != len(self._holders):
            raise InvalidArgumentError(
                f"optimizer: expected {len(wanted)} weights and {len(self._holders)} states, as here, "
                f"got {len(kinds)} weights and {state_count} states"
            )
        for index, (here, saved) in enumerate(zip(wanted, kinds, strict=True)):
            if saved != here:
                raise InvalidArgumentError(f"optimizer: expected weight {index} to be {here}, as here, got {saved}")
        return states, progress

    def _load(self, states: list[Any], progress: Any, load_progress: Callable[[Any], None]) -> None:
        for holder, state in zip(self._holders, states, strict=True):
            try:
                holder.load_state_dict(state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                raise InvalidArgumentError(
                    f"{type(holder).__name__}: expected the state of one, got {error}"
                ) from error
        load_progress(progress)
