"""The noise levels that a pipeline's own scheduler visits."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import InvalidArgumentError


class SchedulerGrid:
    """The time grid of a pipeline, by number of steps: `grid(25)` gives 26 noise levels, decreasing to 0.

    `scheduler`: is copied. `mu`: the shift that the pipeline computes for T steps. `evenly`: whether the pipeline hands
    T even levels from 1 to 1/T to its scheduler, or leaves them to it.
    """

    def __init__(self, scheduler: Any, *, mu: Callable[[int], float] | None = None, evenly: bool = True) -> None:
        settings = scheduler.config
        is_flow = getattr(settings, "use_flow_sigmas", False) or type(scheduler).__name__.startswith("FlowMatch")
        if not is_flow or getattr(settings, "invert_sigmas", False):
            raise InvalidArgumentError(
                "scheduler: expected one of flow matching, from sigma = 1 down to 0, got "
                f"{type(scheduler).__name__}; set pipe.scheduler to a FlowMatchEulerDiscreteScheduler"
            )
        self._scheduler = copy.deepcopy(scheduler)
        self._takes = set(inspect.signature(scheduler.set_timesteps).parameters)
        self._evenly = evenly and not getattr(settings, "use_flow_sigmas", False)
        self._mu = mu

    def __call__(self, steps: int) -> list[float]:
        """T + 1 noise levels, the last 0."""
        arguments: dict[str, Any] = {}
        if self._evenly:
            arguments["sigmas"] = np.linspace(1.0, 1 / steps, steps)
        else:
            arguments["num_inference_steps"] = steps
        if self._mu is not None and "mu" in self._takes:
            arguments["mu"] = self._mu(steps)
        scheduler = copy.deepcopy(self._scheduler)
        scheduler.set_timesteps(**arguments)
        levels = [float(sigma) for sigma in scheduler.sigmas[:steps]]
        return [min(levels[0], 1.0), *levels[1:], 0.0]


def shift_of_tokens(calculate: Callable[..., float], scheduler: Any, tokens: int, most: float = 1.15) -> float:
    """The shift mu that pipelines compute from a number of image tokens, by the limits in the scheduler's config.
    `calculate`: the pipeline's own `calculate_shift`. `most`: its `max_shift` when the config has none."""
    settings = scheduler.config
    return calculate(
        tokens,
        settings.get("base_image_seq_len", 256),
        settings.get("max_image_seq_len", 4096),
        settings.get("base_shift", 0.5),
        settings.get("max_shift", most),
    )
