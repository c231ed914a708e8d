"""Grid, window, steps, work and memory of every iteration, before anything runs."""

import ctypes
import math
from dataclasses import asdict, dataclass

from numpy.typing import ArrayLike

from . import _abi
from ._arguments import instance, optional, short
from ._arrays import doubles, pointer, size
from ._handle import Object
from ._library import create
from ._structs import optional_struct, read_struct, to_struct
from .configurations import LearningConfig, ModelConfig, SamplingConfig
from .enums import Precision, WindowMode
from .errors import InvalidArgumentError
from .results import IterationPlan, Memory, Step

SCHEDULED_WINDOW = _abi.WINDOW_START_SCHEDULED
"""Pass as window_start to use the window that the plan schedules."""


@dataclass(frozen=True)
class AdaptiveWindow:
    """The state of a window with `WindowMode.ADAPTIVE`; the default is that at the start of a run. A trainer keeps it
    itself. A host that creates rollouts itself keeps the state, and updates it with `Plan.advance`.

    A line is fitted by least squares to the rewards of the iterations at this place; one of age a has the weight (1 -
    1/k)^a, k = `window_trend`. The window moves when its slope is below `window_minimum_gain` standard deviations of
    the reward, after at least max(`window_minimum_interval`, k) and at most `window_interval` iterations.
    """

    window_start: int = 0
    """l"""
    iterations: int = 0
    """Iterations at this place, without those that had no reward."""
    first_reward: float = 0.0
    """First reward at this place; r in the sums is the difference from it."""
    sums: tuple[float, ...] = (0.0,) * 6
    """Sums of w, w*a, w*a^2, w*r, w*a*r, w*s."""
    gain: float = math.nan
    """Gain of the reward per iteration; NaN before two iterations."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The size of a run, for predictions. Fields with a default, except `max_batch`, matter only for the built-in
    model."""

    prompt_count: int
    """P per iteration, 1…1000000."""
    token_count: int
    """N, 1…65536."""
    channels: int
    """C, 1…65536; the built-in model's `in_channels`."""
    text_length: int = 1
    """L, 1…65536."""
    max_batch: int = 0
    """`max_batch` of the evaluator, 1…65536; for a model of the host, that of `Update`, 0 for no limit."""
    threads: int = 1
    """Threads of the context, 1…1024."""
    keep_reference: bool = False
    """Whether a frozen reference model is kept beside the trained one."""
    recompute_activations: bool = False
    """As in the evaluator."""
    precision: Precision = Precision.FLOAT32
    """As in the evaluator."""
    max_bytes: int = 0
    """As in the evaluator; 0 for no limit."""
    lora_rank: int = 0
    """Rank of an adapter of all layers of the blocks that is trained; 0 for all weights."""
    frozen_base: bool = False
    """With `lora_rank`: the adapted model is a frozen one."""


class Plan(Object):
    """Checked, immutable settings of sampling, with their time grid. Every query depends only on the settings.

    `sigmas`: the host's time grid of T + 1 values, strictly decreasing, the first at most 1, the last 0, in place of
    `steps`, `shift` and `image_tokens`; set `steps` to T as well, because the window must fit it. Raises
    `InvalidArgumentError` naming every field that does not fit.
    """

    _destroy = "mixgrpo_plan_destroy"

    def __init__(self, config: SamplingConfig = SamplingConfig(), *, sigmas: ArrayLike | None = None) -> None:
        self.config = instance(config, SamplingConfig, "config")
        grid = None if sigmas is None else doubles(sigmas, "sigmas")
        self._steps = self.config.steps if grid is None else grid.size - 1
        struct = to_struct(_abi.SamplingConfig, self.config)
        self._adopt(create("mixgrpo_plan_create", ctypes.byref(struct), pointer(grid), size(grid)))

    def _state(self) -> str:
        config = self.config
        window = f"window {config.window_mode.name.lower()}"
        length = "" if config.window_mode is WindowMode.ALL else f" of {config.window_length}"
        return f"{self._steps} steps, {window}{length}, groups of {config.group_size}"

    def iteration(
        self, iteration: int, *, window_start: int = SCHEDULED_WINDOW, prompt_count: int = 1, minibatches: int = 1
    ) -> IterationPlan:
        """The window and the work of one iteration, 0 or more.

        `window_start`: l in 0…T - 1 - w, needed with `WindowMode.GIVEN`. `prompt_count`: P, 1…1000000.
        `minibatches`: `updates_per_iteration` of the learning configuration, 1…4096. With `WindowMode.ADAPTIVE` a
        forecast: the window of a run in which every place is held for `window_interval` iterations.
        """
        return read_struct(
            IterationPlan, "mixgrpo_plan_get_iteration", self.handle, iteration, window_start, prompt_count, minibatches
        )

    def steps(self, iteration: int, *, window_start: int = SCHEDULED_WINDOW) -> list[Step]:
        """All steps of an iteration, from sigma = 1 to 0."""
        count = self.iteration(iteration, window_start=window_start).step_count
        return [self._step(iteration, window_start, index) for index in range(count)]

    def advance(self, state: AdaptiveWindow, reward_mean: float, reward_std: float) -> AdaptiveWindow:
        """The adaptive window after an iteration at `state.window_start`. Iterations without a usable signal
        (a mean or standard deviation that is not finite, or a deviation of 0) leave the state unchanged.

        Raises `InvalidArgumentError` for a plan of another window mode, or an invalid state.
        """
        before = {**asdict(instance(state, AdaptiveWindow, "state")), "gain": 0.0}
        return read_struct(
            AdaptiveWindow,
            "mixgrpo_adaptive_window_advance",
            self.handle,
            ctypes.byref(to_struct(_abi.AdaptiveWindow, before)),
            reward_mean,
            reward_std,
        )

    def memory(
        self,
        iteration: int,
        workload: Workload,
        *,
        learning: LearningConfig | None = None,
        model: ModelConfig | None = None,
        window_start: int = SCHEDULED_WINDOW,
    ) -> Memory:
        """Predicted peak memory of an iteration. `learning` None: the rollout alone. `model` None: the host owns the
        model."""
        return read_struct(
            Memory,
            "mixgrpo_plan_predict_memory",
            self.handle,
            iteration,
            window_start,
            optional_struct(_abi.LearningConfig, optional(learning, LearningConfig, "learning")),
            optional_struct(_abi.ModelConfig, optional(model, ModelConfig, "model")),
            ctypes.byref(to_struct(_abi.Workload, instance(workload, Workload, "workload"))),
        )

    def _step(self, iteration: int, window_start: int, index: int) -> Step:
        return read_struct(Step, "mixgrpo_plan_get_step", self.handle, iteration, window_start, index)


def plan_of(plan: Plan | SamplingConfig) -> Plan:
    """An argument `plan`, made of settings where it is not a plan yet."""
    if isinstance(plan, Plan):
        return plan
    if isinstance(plan, SamplingConfig):
        return Plan(plan)
    raise InvalidArgumentError(f"plan: expected a Plan or a SamplingConfig, got {short(plan)}")
