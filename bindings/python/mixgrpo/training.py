"""The training loop for hosts whose rewards are Python functions."""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import ByteArray, DoubleArray, FloatArray, doubles, shaped
from .configurations import SampleConfig
from .enums import Watchdog
from .errors import InvalidArgumentError
from .evaluation import EvaluationResult
from .host_trainer import HostTrainer
from .metrics import Metrics
from .metrics_file import MetricsFile
from .scoring import Score, ScoringThreads
from .trainer import Trainer
from .training_checkpoints import CheckpointSettings
from .training_evaluation import EvaluationSettings, Keeper

Reward: TypeAlias = Callable[[ByteArray, Sequence[str]], ArrayLike]
"""Scores B images, uint8 (B, height, width, 3), of B prompts: (B) numbers, NaN for one that failed."""

Decoder: TypeAlias = Callable[[FloatArray], ByteArray]
"""Makes images (B, height, width, 3) of B samples (B, N, C), such as `PixelCodec(32, 32, patch=4).decode`."""


class Trainable(Protocol):
    """What `train` needs of a trainer: `Trainer` has it, and so has `mixgrpo.torch.TorchTrainer`."""

    reward_names: tuple[str, ...]

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    @property
    def lines(self) -> Sequence[str] | None:
        """The prompts' words."""

    def rollout(self, prompt_indices: ArrayLike, /) -> FloatArray:
        """Samples a group for each prompt, (P, G, …)."""

    def update(self, rewards: Mapping[str, ArrayLike], *, weights: Mapping[str, float] | None = None) -> Metrics:
        """Trains on the latest rollout."""


def train(
    trainer: Trainable,
    rewards: Reward | Mapping[str, Reward],
    *,
    decode: Decoder,
    iterations: int,
    prompts_per_iteration: int | None = None,
    choose: Callable[[int], Sequence[int]] | None = None,
    weights: Mapping[str, float] | None = None,
    on_iteration: Callable[[Metrics], object] | None = None,
    metrics: str | os.PathLike[str] | None = None,
    evaluate_every: int = 0,
    evaluation_rewards: Mapping[str, Reward] | None = None,
    evaluation_prompts: Sequence[int] | None = None,
    evaluation_sampling: SampleConfig | None = None,
    keep_best: Keeper | None = None,
    watchdog: Watchdog = Watchdog.OFF,
    on_evaluation: Callable[[EvaluationResult, Mapping[str, float]], object] | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1,
    keep_checkpoints: int = 3,
    resume: bool = True,
    progress: bool = True,
    score_workers: int = 0,
) -> list[Metrics]:
    """Runs iterations: draw groups of images, score them, update the model.

    `rewards`: a function for each of the trainer's reward names, or the function when there is one. An
    exception of a reward is raised by this call; the trainer is then before the update, and training may continue.
    `choose`: iteration → prompt indices; by default prompts take turns, `prompts_per_iteration` (4, or all of fewer) at
    a time.
    `weights`: of the rewards, by name; 1 each by default.
    `on_iteration`: called after each update, for logs, files, or to stop by raising. It is called before the checkpoint
    of the iteration is saved, so that no figures are lost; after a kill in between, the resumed run repeats the iteration
    and reports the same figures again.
    `metrics`: a file to which the figures of each iteration are appended as one line of JSON. A resumed run removes the
    lines of iterations that it repeats, so that each iteration has one line.
    `progress`: show a bar, when tqdm is installed.
    `score_workers`: number of threads that score while the next prompt's images are drawn. Each call of a reward then
    gets the images of one prompt, on any of these threads. For rewards that wait, such as for another machine. Results
    are the same if a reward does not depend on other prompts' images.

    Evaluation: every `evaluate_every` iterations (0: never), before the first of them and after the last, the model
    draws the same samples from the same noise, for `evaluation_prompts` (all by default), as `evaluation_sampling`
    says. They are scored with the trained rewards and with the held-out `evaluation_rewards`, by name.
    `keep_best`: a folder for the best model, that of the highest mean of the held-out rewards, or of the trained ones
    when none is held out; averaged weights where the trainer keeps them. For a model that the host owns,
    pass a function that saves it; it is called when the current model is the best so far.
    `watchdog`: when the trained rewards rise while the held-out ones fall for three evaluations, WARN gives a
    `HackedRewardWarning`, STOP ends the training, also of a run that is resumed where it was stopped.
    `on_evaluation`: called after each evaluation with its figures and the means of all rewards by name.

    Checkpoints: `checkpoints` is the folder of the run. Every `checkpoint_every` iterations, and at the end, everything
    that a bit-exact continuation needs is saved there, including evaluations. The newest `keep_checkpoints` are kept; a
    kill or a full disk leaves a complete one if there was one. A trainer that has not trained yet first restores the
    newest complete checkpoint (unless `resume` is False), and its iterations count: a program that is started again
    ends where it would have ended without the stop. While it runs, the folder is locked; also the command `mixgrpo` does
    not run in it.

    Returns the figures of the iterations that ran. Raises `InvalidArgumentError` for settings that do not fit, also those
    that differ from a checkpoint's; `InvalidStateError` when the folder holds a later checkpoint than the trainer's
    iteration, or is in use by another run; `InputOutputError` when nothing can be saved.
    """
    functions = _by_name(trainer, rewards)
    lines = _lines(trainer)
    pick = choose or _in_turns(len(lines), prompts_per_iteration)

    def score_all(chosen: Sequence[int], samples: FloatArray) -> dict[str, DoubleArray]:
        return score(samples, [lines[index] for index in chosen], functions, decode)

    history: list[Metrics] = []
    scorers = _scoring_threads(trainer, score_all, score_workers)
    held_out = evaluation_rewards or {}
    evaluations = EvaluationSettings(
        evaluate_every, evaluation_prompts, evaluation_sampling, keep_best, watchdog
    ).evaluations(
        trainer,
        tuple(held_out),
        lambda samples, chosen: score(samples, [lines[index] for index in chosen], {**functions, **held_out}, decode),
        on_evaluation,
    )
    folder = CheckpointSettings(checkpoints, checkpoint_every, keep_checkpoints, resume)
    saved = folder.checkpoints(trainer, evaluations)
    log = MetricsFile(metrics, trainer) if metrics is not None else None
    with saved.lock() if saved else contextlib.nullcontext():
        done = saved.iterations_done() if saved else 0
        if log:
            log.resume()
        for _ in (bar := _bar(range(done, iterations), progress)):
            if evaluations and not evaluations.go_on():
                break
            chosen = pick(trainer.iteration)
            if scorers is None:
                figures = trainer.update(score_all(chosen, trainer.rollout(chosen)), weights=weights)
            else:
                figures = scorers.iterate(chosen, weights)
            history.append(figures)
            if hasattr(bar, "set_postfix"):
                bar.set_postfix(reward=f"{figures.reward_mean:.3f}")
            # The checkpoint comes last: a run that resumes from it has reported everything before it. What the host
            # raises loses no finished iteration.
            try:
                if log:
                    log.append()
                if on_iteration is not None:
                    on_iteration(figures)
            finally:
                if saved:
                    saved.save()
        if evaluations:
            evaluations.go_on(always=True)
        if saved:
            saved.save(always=True)
    return history


def _scoring_threads(trainer: Trainable, score: Score, workers: int) -> ScoringThreads | None:
    if workers == 0:
        return None
    if not isinstance(trainer, Trainer | HostTrainer):
        raise InvalidArgumentError(
            f"score_workers: expected 0, as {type(trainer).__name__} has no tickets, got {workers}"
        )
    return ScoringThreads(trainer, score, workers)


def score(
    samples: FloatArray, prompts: Sequence[str], rewards: Mapping[str, Reward], decode: Decoder
) -> dict[str, DoubleArray]:
    """The rewards of samples (P, G, N, C), (P, G) by name: each function sees all P * G images at once, group by
    group."""
    groups = samples.shape[:2]
    images = decode(samples.reshape(-1, *samples.shape[2:]))
    words = [prompt for prompt in prompts for _ in range(groups[1])]
    return {name: _checked(reward(images, words), groups, name) for name, reward in rewards.items()}


def _checked(scores: ArrayLike, groups: tuple[int, ...], name: str) -> DoubleArray:
    array = doubles(scores, name)
    return shaped(array, (int(np.prod(groups)),), name).reshape(groups)


def _by_name(trainer: Trainable, rewards: Reward | Mapping[str, Reward]) -> Mapping[str, Reward]:
    functions = rewards if isinstance(rewards, Mapping) else {trainer.reward_names[0]: rewards}
    if set(functions) != set(trainer.reward_names):
        raise InvalidArgumentError(f"rewards: expected {list(trainer.reward_names)}, got {list(functions)}")
    return functions


def _lines(trainer: Trainable) -> Sequence[str]:
    if trainer.lines is None:
        raise InvalidArgumentError(
            "prompts: expected the prompts' words for the rewards (lines=…), got embeddings alone"
        )
    return trainer.lines


def _in_turns(count: int, wanted: int | None) -> Callable[[int], Sequence[int]]:
    at_a_time = min(4, count) if wanted is None else wanted
    if not 1 <= at_a_time <= count:
        raise InvalidArgumentError(f"prompts_per_iteration: expected 1…{count}, the number of prompts, got {at_a_time}")
    return lambda iteration: [(iteration * at_a_time + place) % count for place in range(at_a_time)]


def _bar(iterations: Iterable[int], wanted: bool) -> Any:
    """A progress bar around the loop where tqdm is installed, otherwise the loop's range itself."""
    if not wanted:
        return iterations
    try:
        return importlib.import_module("tqdm.auto").tqdm(iterations, unit="iteration")
    except ImportError:
        return iterations
