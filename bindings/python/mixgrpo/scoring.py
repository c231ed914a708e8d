"""Iterations that compute rewards in threads while the next prompt's images are drawn."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ._arrays import DoubleArray, FloatArray
from .any_trainer import TicketedSamples
from .errors import InvalidArgumentError
from .host_trainer import HostTrainer
from .metrics import Metrics
from .trainer import Trainer

Score = Callable[[Sequence[int], FloatArray], dict[str, DoubleArray]]
"""Prompt indices (P) and samples (P, G, N, C) → rewards (P, G) by name. Called on several threads."""


class ScoringThreads:
    """Runs iterations of a trainer with `workers` threads that score."""

    def __init__(self, trainer: Trainer | HostTrainer, score: Score, workers: int) -> None:
        if workers < 1:
            raise InvalidArgumentError(f"score_workers: expected 0 (score between rollouts) or more, got {workers}")
        self._trainer = trainer
        self._score = score
        self._workers = workers

    def iterate(self, chosen: Sequence[int], weights: Mapping[str, float] | None = None) -> Metrics:
        """One iteration, prompt by prompt.

        An exception of a score function is raised here as soon as it is seen, after the running scores have finished.
        The trainer is then before the update, without tickets.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="mixgrpo-score") as pool:
            try:
                tasks = []
                for index in chosen:
                    ticketed = self._trainer.rollout_ticket([index])
                    tasks.append(pool.submit(self._score_one, ticketed))
                    for task in tasks:
                        if task.done():
                            task.result()
                for task in tasks:
                    task.result()
                return self._trainer.update_tickets(weights=weights)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                self._trainer.drop_tickets()
                raise

    def _score_one(self, ticketed: TicketedSamples) -> None:
        self._trainer.submit_rewards(ticketed, self._score(ticketed.prompt_indices, ticketed.samples))
