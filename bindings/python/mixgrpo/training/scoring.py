"""Rewards of samples, and iterations that compute them in threads while the next prompt's images are drawn."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from .._arguments import function, short
from .._arrays import ByteArray, DoubleArray, FloatArray, doubles, shaped
from ..any_trainer import TicketedSamples
from ..errors import InvalidArgumentError
from ..host_trainer import HostTrainer
from ..ranks import Ranks, ranks_of
from ..results import Metrics
from ..reward_names import weights_in_order
from ..trainer import Trainer
from .argument_types import Decoder, Reward, Trainable

Score = Callable[[Sequence[int], FloatArray], dict[str, DoubleArray]]
"""Prompt indices (P) and samples (P, G, N, C) → rewards (P, G) by name. Called on several threads."""


class ScoringThreads:
    """Runs iterations of a trainer with `workers` threads that score."""

    def __init__(self, trainer: Trainer | HostTrainer, score: Score, workers: int) -> None:
        self._trainer = trainer
        self._score = score
        self._workers = workers
        self._ranks = ranks_of(trainer)

    def iterate(self, chosen: Sequence[int], weights: Mapping[str, float] | None = None) -> Metrics:
        """One iteration, prompt by prompt; of several ranks, each with one at a time.

        An exception of a score function is raised here as soon as it is seen, after the running scores have finished.
        The trainer is then before the update, without tickets.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="mixgrpo-score") as pool:
            try:
                tasks: list[Future[None]] = []
                for first in range(0, len(chosen), self._ranks.count):
                    ticketed = self._trainer.rollout_ticket(chosen[first : first + self._ranks.count])
                    if ticketed.prompt_indices:
                        tasks.append(pool.submit(self._score_one, ticketed))
                    self._ranks.together(lambda: _raise_failures([task for task in tasks if task.done()]))
                self._ranks.together(lambda: _raise_failures(tasks))
                return self._trainer.update_tickets(weights=weights)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                self._trainer.drop_tickets()
                raise

    def _score_one(self, ticketed: TicketedSamples) -> None:
        self._trainer.submit_rewards(ticketed, self._score(ticketed.prompt_indices, ticketed.samples))


def _raise_failures(tasks: Sequence[Future[None]]) -> None:
    """Waits for tasks."""
    for task in tasks:
        task.result()


def score_share(
    score: Score, ranks: Ranks, chosen: Sequence[int], samples: FloatArray, names: Sequence[str]
) -> dict[str, DoubleArray]:
    """The rewards (share, G) by name of this rank's samples. Raises on all ranks when a reward fails on one."""
    own = chosen[ranks.share(len(chosen))]
    none = {name: np.empty(samples.shape[:2]) for name in names}
    return ranks.together(lambda: score(own, samples) if len(own) else none)


def score(
    samples: FloatArray, prompts: Sequence[str], rewards: Mapping[str, Reward], decode: Decoder
) -> dict[str, DoubleArray]:
    """The rewards of samples (P, G, N, C), (P, G) by name: each function sees all P * G images at once, group by
    group."""
    groups = samples.shape[:2]
    images = decoded(samples, decode)
    words = [prompt for prompt in prompts for _ in range(groups[1])]
    return {name: _checked(reward(images, words), groups, name) for name, reward in rewards.items()}


def decoded(samples: FloatArray, decode: Decoder) -> ByteArray:
    """The images of samples (P, G, …), (P * G, height, width, 3). Raises `InvalidArgumentError`."""
    flat = samples.reshape(-1, *samples.shape[2:])
    images = decode(flat)
    if not hasattr(images, "__len__") or len(images) != len(flat):
        got = f"{len(images)} images" if hasattr(images, "__len__") else short(images)
        raise InvalidArgumentError(f"decode: expected a function that makes {len(flat)} images of samples, got {got}")
    return images


def _checked(scores: ArrayLike, groups: tuple[int, ...], name: str) -> DoubleArray:
    field = f"reward {name}"
    count = int(np.prod(groups))
    if scores is None:
        raise InvalidArgumentError(f"{field}: expected {count} numbers, one for each image, got None; does it return?")
    return shaped(doubles(scores, field), (count,), field, "one number for each image").reshape(groups)


def rewards_by_name(trainer: Trainable, rewards: Reward | Mapping[str, Reward]) -> dict[str, Reward]:
    """A function for each of the trainer's rewards. Raises `InvalidArgumentError`."""
    names = trainer.reward_names
    if not isinstance(rewards, Mapping):
        function(rewards, "rewards", "images and prompts, or a mapping of such functions by name", 2)
        if len(names) != 1:
            raise InvalidArgumentError(
                f"rewards: expected a function for each of {list(names)} by name, got one function"
            )
        return {names[0]: rewards}
    if set(rewards) != set(names):
        raise InvalidArgumentError(f"rewards: expected {list(names)}, as the trainer has them, got {list(rewards)}")
    return checked_rewards(rewards, "rewards")


def checked_weights(trainer: Trainable, weights: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """The weights themselves. Raises `InvalidArgumentError` where they are not those of the trainer's rewards."""
    if weights is None:
        return None
    weights_in_order(weights, trainer.reward_names)
    return weights


def checked_rewards(rewards: Mapping[str, Reward], name: str) -> dict[str, Reward]:
    """The functions themselves. Raises `InvalidArgumentError` for what is none."""
    if not isinstance(rewards, Mapping):
        raise InvalidArgumentError(f"{name}: expected functions by name, got {short(rewards)}")
    return {key: function(reward, f"{name}[{key!r}]", "images and prompts", 2) for key, reward in rewards.items()}
