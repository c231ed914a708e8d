"""Regular evaluations of a model in training: the best weights, and a watchdog against reward hacking."""

import ctypes
import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import DoubleArray, FloatArray, doubles, integers, output, pointer, shaped, texts
from ._handle import Object
from ._library import call, create, library
from ._structs import read_struct, to_struct
from .configurations import EvaluationConfig, SampleConfig
from .enums import Storage, StorageName, Verdict
from .errors import InvalidArgumentError
from .host_trainer import HostTrainer
from .model import Model
from .results import EvaluationResult
from .trainer import Trainer


class Evaluation(Object):
    """Evaluates the same prompts from the same noise each time, which training never sees:

        if evaluation.is_due(trainer.iteration):
            samples = evaluation.sample(trainer)               # (P, S, N, C)
            result = evaluation.submit(trainer.iteration, my_scores(samples))  # (K, P, S)
            if result.verdict is mixgrpo.Verdict.STOP:
                break

    `prompt_indices`: (P), rows of the trainer's prompts. `rewards`: the names of the K rewards, or their weights by
    name in the score that decides which evaluation is the best; 1 each by default. `held_out`: the names of those that
    training does not see. `sampling`: how samples are drawn; its seed keys the noise. Raises `InvalidArgumentError` naming
    every field that does not fit.
    """

    _destroy = "mixgrpo_evaluation_destroy"

    def __init__(
        self,
        prompt_indices: ArrayLike,
        rewards: Sequence[str] | Mapping[str, float],
        *,
        held_out: Sequence[str] = (),
        config: EvaluationConfig = EvaluationConfig(),
        sampling: SampleConfig = SampleConfig(),
    ) -> None:
        self.config = instance(config, EvaluationConfig, "config")
        self.sampling = instance(sampling, SampleConfig, "sampling")
        if isinstance(rewards, str):
            raise InvalidArgumentError(f"rewards: expected a sequence of names, got the text {rewards!r}")
        self.reward_names = tuple(rewards)
        if unknown := set(held_out) - set(self.reward_names):
            raise InvalidArgumentError(f"held_out: expected names of {list(self.reward_names)}, got {sorted(unknown)}")
        shares = rewards.values() if isinstance(rewards, Mapping) else [1.0] * len(self.reward_names)
        weights = doubles(list(shares), "weights")
        flags = np.array([name in held_out for name in self.reward_names], np.uint8)
        index = integers(prompt_indices, "prompt_indices").reshape(-1)
        self._shape = (len(self.reward_names), len(index), self.sampling.samples_per_prompt)
        self._adopt(
            create(
                "mixgrpo_evaluation_create",
                ctypes.byref(to_struct(_abi.EvaluationConfig, self.config)),
                ctypes.byref(to_struct(_abi.SampleConfig, self.sampling)),
                pointer(index),
                len(index),
                texts(self.reward_names, "rewards"),
                pointer(weights),
                pointer(flags),
                len(self.reward_names),
            )
        )

    def _state(self) -> str:
        latest = self.latest_iteration
        return f"rewards {', '.join(self.reward_names)}, " + (f"latest at {latest}" if latest >= 0 else "no result yet")

    def is_due(self, iteration: int) -> bool:
        """Whether an iteration, which is about to be trained, is to be evaluated first."""
        return bool(library.mixgrpo_evaluation_is_due(self.handle, iteration))

    def sample(self, trainer: Trainer | HostTrainer, *, out: FloatArray | None = None) -> FloatArray:
        """The samples of an evaluation, (P, S, N, C) at sigma = 0, from the same noise each time. A pending rollout of
        the trainer stays. The trainer may go on before the scores come: the weights of these samples are kept until
        then; a host keeps its own when the result is the best.

        Raises `InvalidStateError` when the average is asked for and not kept.
        """
        if isinstance(trainer, HostTrainer):
            samples = trainer.sample_evaluation(self.handle, self._shape[1], self._shape[2])
            if out is not None:
                np.copyto(output(out, samples.shape, np.float32), samples)
            return samples if out is None else out
        instance(trainer, Trainer, "trainer")
        with trainer.checking_sample(self.handle):
            out = output(out, (*self._shape[1:], *trainer.evaluator.latent_shape), np.float32)
        trainer.context.run("mixgrpo_evaluation_sample", self.handle, trainer.handle, pointer(out), out.size)
        return out

    def submit(self, iteration: int, scores: ArrayLike | Mapping[str, ArrayLike]) -> EvaluationResult:
        """Submits the scores, (K, P, S), or (P, S) by name; NaN for one that failed.

        `iteration`: the trainer's when the samples were drawn, later than that of the evaluation before.
        """
        if isinstance(scores, Mapping):
            if set(scores) != set(self.reward_names):
                raise InvalidArgumentError(f"scores: expected {list(self.reward_names)}, got {list(scores)}")
            scores = [scores[name] for name in self.reward_names]  # type: ignore[assignment]
        values = shaped(doubles(scores, "scores"), self._shape, "scores")  # type: ignore[arg-type]
        return read_struct(
            EvaluationResult, "mixgrpo_evaluation_submit", self.handle, iteration, pointer(values), values.size
        )

    def means(self) -> dict[str, float]:
        """The means of the latest evaluation's finite scores by name; NaN for a reward without.

        Raises `InvalidStateError` before the first evaluation.
        """
        values: DoubleArray = np.empty(len(self.reward_names))
        call("mixgrpo_evaluation_get_means", self.handle, pointer(values), values.size)
        return dict(zip(self.reward_names, values.tolist(), strict=True))

    @property
    def latest_iteration(self) -> int:
        """The trainer's at the latest evaluation, also after `restore`; -1 before the first."""
        iteration = ctypes.c_int64()
        call("mixgrpo_evaluation_get_verdict", self.handle, ctypes.byref(iteration), None)
        return iteration.value

    @property
    def verdict(self) -> Verdict:
        """The watchdog's verdict on the latest evaluation, also after `restore`, by the settings of this object: a stopped
        run must not continue from there. `CONTINUE` before the first."""
        verdict = ctypes.c_int32()
        call("mixgrpo_evaluation_get_verdict", self.handle, None, ctypes.byref(verdict))
        return Verdict(verdict.value)

    def get_best(self, model: Model) -> None:
        """Puts the best weights into a model of the same sizes. Raises `InvalidStateError` when none are kept."""
        call("mixgrpo_evaluation_get_best", self.handle, instance(model, Model, "model").handle)

    def save_best(self, folder: str | os.PathLike[str], storage: Storage | StorageName = Storage.F32) -> None:
        """Writes the best weights as `Model.save` does. Raises `InvalidStateError` when none are kept."""
        call("mixgrpo_evaluation_save_best", self.handle, folder, chosen(Storage, storage, "storage"))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Saves what a continuation needs into a folder, which may be the trainer's."""
        call("mixgrpo_evaluation_save", self.handle, folder)

    def restore(self, folder: str | os.PathLike[str]) -> None:
        """Restores the saved state into this evaluation, which must have the same rewards, prompts and sampling.

        Raises `InputOutputError`, `InvalidFormatError`; `InvalidArgumentError` naming the settings that differ.
        """
        call("mixgrpo_evaluation_restore", self.handle, folder)
