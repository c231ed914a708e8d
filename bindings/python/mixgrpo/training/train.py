"""The training loop for hosts whose rewards are Python functions."""

from __future__ import annotations  # help() shows the types by their names

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .._arguments import function, path, short, whole
from .._arrays import ByteArray, DoubleArray, FloatArray
from ..errors import InvalidArgumentError
from ..host_trainer import HostTrainer
from ..person_reward import PersonReward
from ..ranks import ranks_of
from ..results import Metrics
from ..trainer import Trainer
from .argument_types import Decoder, FilePath, IterationReceiver, PromptChoice, Reward, Trainable
from .checkpoints import TrainingCheckpoints, checkpoint_settings, checkpoints_of
from .evaluation import USUAL_EVALUATION, TrainingEvaluation, evaluation_of
from .evaluations import evaluations_of
from .metrics_file import MetricsFile
from .pictures import ShownSamples, show_person, write_pictures
from .progress import ProgressDisplay
from .report import Report
from .run import Iterate, TrainingRun
from .scoring import ScoringThreads, checked_weights, rewards_by_name, score, score_share


def train(
    trainer: Trainable,
    rewards: Reward | Mapping[str, Reward],
    *,
    decode: Decoder,
    iterations: int,
    prompts_per_iteration: int = 4,
    choose: PromptChoice | None = None,
    weights: Mapping[str, float] | None = None,
    evaluation: TrainingEvaluation | None = USUAL_EVALUATION,
    checkpoints: FilePath | TrainingCheckpoints | None = None,
    metrics: FilePath | None = None,
    report: FilePath | None = None,
    on_iteration: IterationReceiver | None = None,
    progress: bool = True,
    score_workers: int = 0,
) -> list[Metrics]:
    """Runs iterations: draws groups of images, scores them, updates the model.

    rewards        a function (images, prompts) -> numbers; several by name
    decode         makes images of samples, such as PixelCodec(...).decode
    prompts_per_iteration, choose
                   prompts take turns, so many at a time (all of fewer);
                   or choose(iteration) gives the indices
    weights        of the rewards, by name; 1 each by default
    evaluation     of fixed prompts and noise, also before and at the end;
                   None for none; TrainingEvaluation(held_out=..., ...):
                   held-out rewards, the best model, a watchdog
    checkpoints    a folder, or TrainingCheckpoints(folder, every=..., ...):
                   the same program started again continues, bit for bit;
                   pictures/ in it shows each evaluation
    metrics        a file that gets one line of JSON for each iteration
    report         an HTML page: curves, samples over the iterations; written
                   anew while the training runs, continued when resumed
    on_iteration   called with the figures of each iteration, before its
                   checkpoint is saved; may raise, to stop
    progress       show on standard error how far the training is
    score_workers  threads that score while the next images are drawn

    Several ranks (torchrun) run the same program: each scores its own
    samples; files, progress and warnings come of rank 0 alone; choose,
    on_iteration and the like are called on all, and must do the same there.

    Warns with LearningWarning, once for each reason, when nothing is
    learned. An exception of a reward is raised, and so is Ctrl-C, within
    one request to the model; the trainer is then before that iteration's
    update, and training may continue.

    Returns the figures of the iterations that ran. Raises
    InvalidArgumentError naming what does not fit; InvalidStateError when
    the folder is in use or belongs to a later run; InputOutputError.
    """
    _check(trainer, iterations, score_workers)
    functions = rewards_by_name(trainer, rewards)
    function(decode, "decode", "samples")
    lines = _lines(trainer)
    shares, saving = checked_weights(trainer, weights), checkpoint_settings(checkpoints)
    display = ProgressDisplay(bool(progress) and ranks_of(trainer).index == 0)
    resolved = evaluation_of(evaluation, trainer)
    shown = ShownSamples(lines, decode, resolved)
    page = None if report is None else Report(path(report, "report"), trainer, shown, resolved, iterations)
    receivers = [] if page is None else [page.add_evaluation]
    shown.receivers = _show_to(page, saving, functions, trainer, shown.prompts)

    def score_all(chosen: Sequence[int], samples: FloatArray) -> dict[str, DoubleArray]:
        return score(samples, [lines[index] for index in chosen], functions, decode)

    evaluations = (
        None if resolved is None else evaluations_of(resolved, functions, decode, shares, receivers, display, shown)
    )
    run = TrainingRun(
        trainer=trainer,
        iterate=_iterate(trainer, score_all, shares, score_workers),
        choose=_in_turns(len(lines), prompts_per_iteration) if choose is None else _checked_choice(choose, len(lines)),
        evaluations=evaluations,
        checkpoints=checkpoints_of(saving, trainer, evaluations),
        log=None if metrics is None else MetricsFile(path(metrics, "metrics"), trainer),
        report=page,
        receiver=None if on_iteration is None else function(on_iteration, "on_iteration", "an iteration's figures"),
        display=display,
    )
    return run.run(iterations)


def _check(trainer: object, iterations: object, score_workers: object) -> None:
    if isinstance(trainer, type) or not all(hasattr(trainer, name) for name in ("reward_names", "rollout", "update")):
        raise InvalidArgumentError(
            f"trainer: expected a Trainer, such as mixgrpo.Trainer(evaluator, prompts, …), got {short(trainer)}"
        )
    if isinstance(trainer, Trainer) and trainer.has_collective:
        raise InvalidArgumentError(
            "trainer: expected one without a collective, as files and rewards are those of one process, got one of several "
            "ranks; call rollout and update yourself"
        )
    whole(iterations, "iterations", 0)
    if whole(score_workers, "score_workers", 0) and not isinstance(trainer, Trainer | HostTrainer):
        raise InvalidArgumentError(
            f"score_workers: expected 0, as {type(trainer).__name__} has no tickets, got {score_workers}"
        )


def _lines(trainer: Trainable) -> Sequence[str]:
    if trainer.lines is None:
        raise InvalidArgumentError(
            "prompts: expected the prompts' words for the rewards (lines=…), got embeddings alone"
        )
    return trainer.lines


def _show_to(
    page: Report | None,
    saving: TrainingCheckpoints | None,
    rewards: Mapping[str, Reward],
    trainer: Trainable,
    prompts: Sequence[str],
) -> list[Callable[[ByteArray], None]]:
    """Who receives images of the same prompts and noise: the report, the folder of the run, and a person who votes."""
    receivers: list[Callable[[ByteArray], None]] = [] if page is None else [page.add_images]
    if saving is not None:
        receivers.append(lambda images: write_pictures(Path(saving.folder), trainer.iteration, images))
    people = [reward for reward in rewards.values() if isinstance(reward, PersonReward)]
    return receivers + [partial(show_person, person, prompts) for person in people]


def _iterate(trainer: Trainable, score_all: Any, weights: Mapping[str, float] | None, workers: int) -> Iterate:
    """Prompt indices → figures of an iteration."""
    if workers > 0 and isinstance(trainer, Trainer | HostTrainer):
        threads = ScoringThreads(trainer, score_all, workers)
        return lambda chosen: threads.iterate(chosen, weights)
    ranks, names = ranks_of(trainer), trainer.reward_names
    return lambda chosen: trainer.update(
        score_share(score_all, ranks, chosen, trainer.rollout(chosen), names), weights=weights
    )


def _in_turns(count: int, wanted: int) -> PromptChoice:
    at_a_time = min(whole(wanted, "prompts_per_iteration", 1), count)
    return lambda iteration: [(iteration * at_a_time + place) % count for place in range(at_a_time)]


def _checked_choice(choose: PromptChoice, count: int) -> PromptChoice:
    function(choose, "choose", "an iteration")

    def checked(iteration: int) -> Sequence[int]:
        chosen = choose(iteration)
        if isinstance(chosen, str) or not hasattr(chosen, "__iter__"):
            raise InvalidArgumentError(f"choose: expected a function that gives prompt indices, got {short(chosen)}")
        return [whole(index, "choose: prompt index", 0, count - 1) for index in chosen]

    return checked
