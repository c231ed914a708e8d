"""Evaluations inside `train`: held-out rewards, the best model on disk, the watchdog."""

from __future__ import annotations  # help() shows the types by their names

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol, runtime_checkable

from .._arguments import function, instance, path, whole
from .._arrays import FloatArray, integers
from .._configuration import Choice
from ..configurations import EvaluationConfig, SampleConfig, SamplingConfig
from ..enums import Watchdog, WatchdogName
from ..errors import InvalidArgumentError
from ..trainer import Trainer
from .argument_types import EvaluationReceiver, Keeper, Reward
from .scoring import checked_rewards


@runtime_checkable
class Evaluable(Protocol):
    """What an evaluation needs of a trainer whose host owns the model, such as `mixgrpo.torch.TorchTrainer`."""

    reward_names: tuple[str, ...]

    @property
    def iteration(self) -> int:
        """The iteration that the next rollout belongs to."""

    @property
    def lines(self) -> Sequence[str] | None:
        """The prompts' words."""

    def sample(self, prompt_indices: Sequence[int], config: SampleConfig, /) -> FloatArray:
        """Deterministic samples, (P, S, …)."""


@dataclass(frozen=True, kw_only=True)
class TrainingEvaluation:
    """How `train` evaluates: every `every` iterations, before the first of them and after the last, the model draws the
    same samples from the same noise, and all rewards score them. A person (`PersonReward`) is not asked: they see the
    samples on their page. Defaults are those of the command `mixgrpo align`.

    Raises `InvalidArgumentError` naming a field that does not fit.
    """

    every: int = EvaluationConfig.every
    """Iterations between two evaluations. Range: 1…1000000."""
    held_out: Mapping[str, Reward] = field(default_factory=dict)
    """Rewards that the model is not trained on, by name."""
    prompts: int | Sequence[int] = 16
    """The most prompts, evenly spread over all of them (1 or more); or the indices of the prompts."""
    sampling: SampleConfig | None = None
    """How the samples are drawn; by default one for each prompt, on the time grid of training without its noise."""
    keep_best: Keeper | None = None
    """A folder for the best model, that of the highest mean of the held-out rewards, or of the trained ones when none
    is held out; averaged weights where the trainer keeps them. For a model that the host owns, a function that saves
    it, called when the current model is the best so far."""
    watchdog: Choice[Watchdog, WatchdogName] = Choice(Watchdog.OFF)
    """When the trained rewards rise while the held-out ones fall for three evaluations, "warn" gives a
    `HackedRewardWarning`, and "stop" ends the training, also of a run that is resumed where it was stopped."""
    on_evaluation: EvaluationReceiver | None = None
    """Called after each evaluation with its figures and the means of all rewards by name."""

    def __post_init__(self) -> None:
        whole(self.every, "every", 1, 1_000_000)
        checked_rewards(self.held_out, "held_out")
        if isinstance(self.prompts, int):
            whole(self.prompts, "prompts", 1)
        else:
            for index in integers(self.prompts, "prompts").reshape(-1).tolist():
                whole(index, "prompts", 0)
        if not (self.keep_best is None or callable(self.keep_best)):
            path(self.keep_best, "keep_best")
        if self.sampling is not None:
            instance(self.sampling, SampleConfig, "sampling")
        if self.watchdog is not Watchdog.OFF and not self.held_out:
            raise InvalidArgumentError("held_out: expected at least one reward, as the watchdog is on, got none")
        if self.on_evaluation is not None:
            function(self.on_evaluation, "on_evaluation", "a result and the rewards' means", 2)

    def __repr__(self) -> str:
        changed = [part.name for part in fields(self) if getattr(self, part.name) != _default(part)]
        return f"TrainingEvaluation({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"


def _default(part: dataclasses.Field[object]) -> object:
    return part.default if part.default_factory is dataclasses.MISSING else part.default_factory()


USUAL_EVALUATION = TrainingEvaluation()
"""How `train` evaluates when it is given nothing else."""


def evaluation_of(settings: TrainingEvaluation | None, trainer: object) -> ResolvedEvaluation | None:
    """The settings with the indices of the prompts and the sampling. None without settings, and when nobody asked for an
    evaluation of a trainer that cannot be evaluated. Raises `InvalidArgumentError`."""
    if settings is None:
        return None
    instance(settings, TrainingEvaluation, "evaluation")
    if not isinstance(trainer, Evaluable):
        if settings is USUAL_EVALUATION:
            return None
        raise InvalidArgumentError(f"evaluation: expected None, as {type(trainer).__name__} has no sample(), got one")
    return ResolvedEvaluation(
        trainer, settings, _rows(settings.prompts, _prompt_count(trainer)), settings.sampling or sampling_of(trainer)
    )


@dataclass(frozen=True)
class ResolvedEvaluation:
    """An evaluation of one trainer."""

    trainer: Trainer | Evaluable
    settings: TrainingEvaluation
    prompts: list[int]
    sampling: SampleConfig


def _rows(prompts: int | Sequence[int], count: int) -> list[int]:
    """Indices of `count` prompts: as given, or evenly spread."""
    if isinstance(prompts, int):
        wanted = min(prompts, count)
        return [place * count // wanted for place in range(wanted)]
    if outside := [index for index in prompts if index not in range(count)]:
        raise InvalidArgumentError(f"prompts: expected indices of 0…{count - 1}, got {outside}")
    return list(prompts)


def sampling_of(trainer: object, samples_per_prompt: int = 1) -> SampleConfig:
    """How samples are drawn to be looked at: as in training but without its noise."""
    plan = getattr(getattr(trainer, "plan", None), "config", SamplingConfig())
    return SampleConfig(
        steps=plan.steps,
        shift=plan.shift,
        image_tokens=plan.image_tokens,
        sigma_rounding=plan.sigma_rounding,
        samples_per_prompt=samples_per_prompt,
    )


def _prompt_count(trainer: Trainer | Evaluable) -> int:
    return len(trainer.prompts) if isinstance(trainer, Trainer) else len(trainer.lines or ())
