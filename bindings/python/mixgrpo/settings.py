"""How to sample and how to learn. The defaults are the library's own.

Presets, `check` and `describe` treat the two configurations together. Bounds that depend on other settings are checked
by the library when a plan, an update or a trainer is made, or by `check`; all problems are reported at once.
"""

import ctypes
from dataclasses import dataclass

from . import _abi
from ._library import call, library, read_text
from ._structs import from_struct, optional_struct, to_struct
from .enums import (
    AdvantageMode,
    Dynamics,
    FaultPolicy,
    InitialNoise,
    LogProbability,
    Schedule,
    SigmaRounding,
    Solver,
    StdScope,
    StepWeighting,
    TrainedSubset,
    Undo,
    WindowEnd,
    WindowMode,
)


def _library_defaults() -> tuple[_abi.SamplingConfig, _abi.LearningConfig]:
    sampling, learning = _abi.SamplingConfig(), _abi.LearningConfig()
    call(
        "mixgrpo_config_init",
        ctypes.byref(sampling),
        ctypes.sizeof(sampling),
        ctypes.byref(learning),
        ctypes.sizeof(learning),
    )
    return sampling, learning


_sampling, _learning = _library_defaults()


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How samples are drawn. The window is w long and starts at l in 0…T - 1 - w: the last step is never in it."""

    steps: int = _sampling.steps
    """T, steps from sigma = 1 to 0, 2…10000."""
    shift: float = _sampling.shift
    """s of sigma = s*t/(1 + (s - 1)t), t = 1 - i/T; 1 for none. Above 0, at most 1000."""
    image_tokens: int = _sampling.image_tokens
    """When above 0: the shift that goes with this number of tokens, in place of `shift`; at most 1000000."""
    dynamics: Dynamics = Dynamics(_sampling.dynamics)
    """The stochastic step inside the window."""
    noise_level: float = _sampling.noise_level
    """eta; for CPS the angle is eta*pi/2. Above 0, at most 10 (CPS: 1)."""
    window_mode: WindowMode = WindowMode(_sampling.window_mode)
    """How the window moves over the iterations."""
    window_length: int = _sampling.window_length
    """w, steps, 1…T - 1. Not used by ALL."""
    window_start: int = _sampling.window_start
    """l of FROZEN, 0…T - 1 - w."""
    window_stride: int = _sampling.window_stride
    """Steps the window moves at a time, 1…1000000."""
    window_interval: int = _sampling.window_interval
    """tau, iterations between moves, 1…1000000; LINEAR_DECAY, EXPONENTIAL_DECAY: the first; ADAPTIVE: at most."""
    window_minimum_interval: int = _sampling.window_minimum_interval
    """The last interval of LINEAR_DECAY, iterations, 1…window_interval; ADAPTIVE: iterations between moves at least."""
    window_at_end: WindowEnd = WindowEnd(_sampling.window_at_end)
    """What a moving window does at the end of its range."""
    window_decay_threshold: int = _sampling.window_decay_threshold
    """l0 of EXPONENTIAL_DECAY, a step, 0…1000000."""
    window_decay_rate: float = _sampling.window_decay_rate
    """k of EXPONENTIAL_DECAY, per step, 0…100."""
    trained_fraction: float = _sampling.trained_fraction
    """With ALL, the trained share of the stochastic steps, above 0, at most 1."""
    trained_subset: TrainedSubset = TrainedSubset(_sampling.trained_subset)
    """Which steps that share is made of."""
    solver: Solver = Solver(_sampling.solver)
    """Of the steps outside the window."""
    flash_ratio: float = _sampling.flash_ratio
    """r~ of MixGRPO-Flash: the R steps after the window become max(1, floor(r~*R)); 0 for all R. At most 1; not with
    ALL."""
    flash_solver: Solver = Solver(_sampling.flash_solver)
    """Of these steps when `flash_ratio` is above 0."""
    group_size: int = _sampling.group_size
    """G, images per prompt, 2…4096."""
    initial_noise: InitialNoise = InitialNoise(_sampling.initial_noise)
    """Whether the members of a group start from the same noise."""
    exact_sharing: bool = bool(_sampling.exact_sharing)
    """Evaluate equal latents once; changes no result."""
    log_probability: LogProbability = LogProbability(_sampling.log_probability)
    """What the ratio is made of."""
    sigma_rounding: SigmaRounding = SigmaRounding(_sampling.sigma_rounding)
    """How the model is told a noise level."""
    seed: int = _sampling.seed
    """Of all random numbers of the run, 0…2**64 - 1."""
    window_minimum_gain: float = _sampling.window_minimum_gain
    """ADAPTIVE moves when the reward gains less per iteration, in standard deviations of the reward; -1000…1000."""
    window_trend: int = _sampling.window_trend
    """k, the iterations that ADAPTIVE judges a gain over, 2…1000000."""


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """How the model learns: advantages, policy loss, optimizer."""

    advantage_mode: AdvantageMode = AdvantageMode(_learning.advantage_mode)
    """How several rewards become one advantage."""
    std_scope: StdScope = StdScope(_learning.std_scope)
    """Over what the divisor's standard deviation is taken."""
    step_weighting: StepWeighting = StepWeighting(_learning.step_weighting)
    """The weight of each trained step in the loss."""
    updates_per_iteration: int = _learning.updates_per_iteration
    """Parts a group is split into, one optimizer step each, 1…group_size."""
    schedule: Schedule = Schedule(_learning.schedule)
    """Of the learning rate."""
    warmup_steps: int = _learning.warmup_steps
    """Optimizer steps of linear rise from 0, 0…1000000000."""
    total_steps: int = _learning.total_steps
    """Optimizer steps until COSINE is at its minimum, 1…1000000000."""
    min_rate_fraction: float = _learning.min_rate_fraction
    """COSINE ends at this share of `learning_rate`, 0…1."""
    learning_rate: float = _learning.learning_rate
    """Of AdamW, per step, 0…1000."""
    beta1: float = _learning.beta1
    """Decay of the first moment, 0 <= beta1 < 1."""
    beta2: float = _learning.beta2
    """Decay of the second moment, 0 <= beta2 < 1."""
    epsilon: float = _learning.epsilon
    """Added to the root of the second moment, above 0, at most 1."""
    weight_decay: float = _learning.weight_decay
    """Decoupled, times learning rate, 0…1000."""
    max_gradient_norm: float = _learning.max_gradient_norm
    """Global norm the gradients are scaled down to, 0…10**12; 0 for no limit."""
    trim_fraction: float = _learning.trim_fraction
    """Share cut off each end of a group for mean and std, 0 <= f < 0.5."""
    degenerate_tolerance: float = _learning.degenerate_tolerance
    """A group whose std is at most this share of its largest reward in magnitude gets advantage 0; 0…1."""
    advantage_clip: float = _learning.advantage_clip
    """Advantages are clipped to +-this, 0…10**6; 0 for no limit."""
    clip_range: float = _learning.clip_range
    """The ratio is clipped to 1 +- this, above 0, below 1. With mean reduction D*clip_range nats of true log-ratio."""
    kl_reference: float = _learning.kl_reference
    """Weight of the KL to a frozen reference, 0…10**6; 0 for none."""
    kl_old: float = _learning.kl_old
    """Weight of (1/2)(log p - log p_old)^2, 0…10**6; 0 for none."""
    ema_decay: float = _learning.ema_decay
    """Decay per optimizer step of the averaged weights, 0…1; 0 for none."""
    fault_policy: FaultPolicy = FaultPolicy(_learning.fault_policy)
    """What a trainer's update does about a fault."""
    max_velocity_change: float = _learning.max_velocity_change
    """Most that one iteration of a trainer may change the velocity of its first trained latent: the root mean square of
    the difference over that of the velocity, which counts as 1 at least, 0…10**6; 0 for no limit."""
    roll_back_rate_factor: float = _learning.roll_back_rate_factor
    """Of the learning rate at each roll-back, above 0, at most 1."""
    undo: Undo = Undo(_learning.undo)
    """What an update that is cancelled or fails leaves behind."""


def preset_names() -> tuple[str, ...]:
    """The names that `preset` knows."""
    names: list[str] = []
    while (name := library.mixgrpo_preset_name(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


def preset(
    name: str, sampling: SamplingConfig | None = None, learning: LearningConfig | None = None
) -> tuple[SamplingConfig, LearningConfig]:
    """A published method as settings; the seed and group size of `sampling` stay as they are.

    "mixgrpo" (the defaults), "mixgrpo_flash", "mixgrpo_flash_star" (Mix §3, arXiv 2507.21802), "flow_grpo" (arXiv
    2505.05470), "dance_grpo" (arXiv 2505.07818). Raises `InvalidArgument` for another name.
    """
    sampling_struct = to_struct(_abi.SamplingConfig, sampling or SamplingConfig())
    learning_struct = to_struct(_abi.LearningConfig, learning or LearningConfig())
    call("mixgrpo_config_init_preset", name, ctypes.byref(sampling_struct), ctypes.byref(learning_struct))
    return from_struct(SamplingConfig, sampling_struct), from_struct(LearningConfig, learning_struct)


def check(sampling: SamplingConfig | None = None, learning: LearningConfig | None = None) -> None:
    """Checks configurations and how they go together. Raises `InvalidArgument` naming every field that is wrong."""
    call(
        "mixgrpo_config_check",
        optional_struct(_abi.SamplingConfig, sampling),
        optional_struct(_abi.LearningConfig, learning),
    )


def describe(sampling: SamplingConfig | None = None, learning: LearningConfig | None = None) -> str:
    """What the configurations will really do, in lines of "field = value": settings in force, first windows, model
    calls."""
    return read_text(
        "mixgrpo_config_describe",
        optional_struct(_abi.SamplingConfig, sampling),
        optional_struct(_abi.LearningConfig, learning),
    )
