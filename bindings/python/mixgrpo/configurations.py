# Generated from the library's table of settings; write it anew with `make generate` instead of editing it.
"""The configurations. A choice may also be given by its name in lower case, such as `dynamics="dance"`.

Each is checked when it is made, and reports all problems at once. How sampling and learning go together is checked when a
trainer is made, or by `check`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ._configuration import Choice, Configuration, ModelFolder
from .enums import (
    AdvantageMode,
    AdvantageModeName,
    Dynamics,
    DynamicsName,
    FaultPolicy,
    FaultPolicyName,
    InitialNoise,
    InitialNoiseName,
    LogProbability,
    LogProbabilityName,
    Schedule,
    ScheduleName,
    SigmaRounding,
    SigmaRoundingName,
    Solver,
    SolverName,
    StdScope,
    StdScopeName,
    StepWeighting,
    StepWeightingName,
    TrainedSubset,
    TrainedSubsetName,
    Undo,
    UndoName,
    Watchdog,
    WatchdogName,
    Weights,
    WeightsName,
    WindowEnd,
    WindowEndName,
    WindowMode,
    WindowModeName,
)


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelConfig(ModelFolder):
    """The sizes of a model. The names are those of diffusers' config.json."""

    in_channels: int = 48
    """C, channels of an image token. Range: 1…65536."""
    out_channels: int = 48
    """Channels of the velocity; sampling needs `in_channels`. Range: 1…65536."""
    num_layers: int = 2
    """Double-stream blocks. Range: 0…1000."""
    num_single_layers: int = 4
    """Single-stream blocks. Range: 0…1000."""
    attention_head_dim: int = 32
    """Channels of an attention head, the sum of `axes_dims_rope`. Range: 2…4096."""
    num_attention_heads: int = 4
    """Attention heads; times `attention_head_dim` at most 65536. Range: 1…1024."""
    joint_attention_dim: int = 64
    """J, width of a text token. Range: 1…65536."""
    pooled_projection_dim: int = 64
    """Q, width of the pooled text. Range: 1…65536."""
    guidance_embeds: bool = False
    """Whether the model takes a guidance value."""
    axes_dims_rope: tuple[int, int, int] = (4, 14, 14)
    """Rotary dimensions of the three position axes, each even. Range: each 0…4096."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SamplingConfig(Configuration):
    """How samples are drawn. The window has w steps and starts at l in 0...T - 1 - w: the last step is never in it."""

    steps: int = 25
    """T, steps of the time grid from noise (sigma = 1) to image (sigma = 0). Range: 2…10000."""
    shift: float = 3.0
    """s of the time grid sigma = s*t/(1 + (s - 1)*t), t = 1 - i/T; 1 for none. Range: above 0, at most 1000."""
    image_tokens: int = 0
    """Above 0, the shift that belongs to this number of image tokens is used in place of shift. Range: 0…1000000
    tokens."""
    sigma_rounding: Choice[SigmaRounding, SigmaRoundingName] = Choice(SigmaRounding.EXACT)
    """How sigma is rounded before it is passed to the model."""
    dynamics: Choice[Dynamics, DynamicsName] = Choice(Dynamics.FLOW)
    """Stochastic step inside the window."""
    solver: Choice[Solver, SolverName] = Choice(Solver.EULER)
    """Solver of the steps outside the window."""
    noise_level: float = 0.7
    """eta, amount of noise in a stochastic step; with dynamics cps the angle is eta*pi/2 and eta at most 1. Range:
    above 0, at most 10."""
    flash_ratio: float = 0.0
    """r of MixGRPO-Flash, which replaces the R steps after the window by max(1, floor(r*R)); 0 for all R, not with
    `window_mode` all. Range: 0…1."""
    flash_solver: Choice[Solver, SolverName] = Choice(Solver.DPM_2_MIDPOINT)
    """Solver of the steps that `flash_ratio` shortens."""
    window_mode: Choice[WindowMode, WindowModeName] = Choice(WindowMode.PROGRESSIVE)
    """How the window of stochastic, trained steps moves over the iterations."""
    window_length: int = 4
    """w, steps in the window, at most T - 1; not used with `window_mode` all. Range: 1…9999 steps."""
    window_start: int = 0
    """l, first step of the window with `window_mode` frozen, at most T - 1 - w. Range: 0…9998 steps."""
    window_stride: int = 1
    """Distance by which the window moves each time. Range: 1…1000000 steps."""
    window_interval: int = 25
    """tau, iterations between two moves of the window; with a decay the first interval, with adaptive the longest.
    Range: 1…1000000 iterations."""
    window_minimum_interval: int = 1
    """The last interval of `linear_decay`, the shortest of adaptive; at most `window_interval`. Range: 1…1000000
    iterations."""
    window_at_end: Choice[WindowEnd, WindowEndName] = Choice(WindowEnd.ROLL_BACK)
    """What a moving window does after its last position."""
    window_decay_threshold: int = 13
    """l0, window start from which `exponential_decay` shortens the interval. Range: 0…1000000 steps."""
    window_trend: int = 10
    """k, iterations over which adaptive judges the gain of the reward. Range: 2…1000000 iterations."""
    window_decay_rate: float = 0.1
    """k, rate at which `exponential_decay` shortens the interval. Range: 0…100 per step."""
    window_minimum_gain: float = 0.01
    """Adaptive moves the window when the reward gains less than this. Range: -1000…1000 standard deviations of the
    reward per iteration."""
    trained_fraction: float = 1.0
    """With `window_mode` all, the share of the stochastic steps that is trained. Range: above 0, at most 1."""
    trained_subset: Choice[TrainedSubset, TrainedSubsetName] = Choice(TrainedSubset.FIRST)
    """With `window_mode` all, which of the stochastic steps are trained."""
    group_size: int = 12
    """G, samples of one prompt that are compared with each other. Range: 2…4096 samples per prompt."""
    initial_noise: Choice[InitialNoise, InitialNoiseName] = Choice(InitialNoise.SHARED)
    """Whether the members of a group start from the same noise."""
    exact_sharing: bool = True
    """Evaluate equal latents once; changes no result."""
    log_probability: Choice[LogProbability, LogProbabilityName] = Choice(LogProbability.MEAN)
    """Log-probability that the ratio is made of."""
    seed: int = 0
    """Seed of all random numbers of the run. Range: 0…2^64 - 1."""


@dataclass(frozen=True, kw_only=True, repr=False)
class LearningConfig(Configuration):
    """How the model learns: advantages, policy loss, optimizer."""

    advantage_mode: Choice[AdvantageMode, AdvantageModeName] = Choice(AdvantageMode.ADVANTAGE_AGGREGATION)
    """How several rewards become one advantage."""
    std_scope: Choice[StdScope, StdScopeName] = Choice(StdScope.GROUP)
    """Samples whose standard deviation divides the advantages."""
    step_weighting: Choice[StepWeighting, StepWeightingName] = Choice(StepWeighting.UNIFORM)
    """Weight of each trained step in the loss."""
    trim_fraction: float = 0.0
    """Share of a group that is cut off at each end for mean and standard deviation. Range: at least 0, below 0.5."""
    degenerate_tolerance: float = 1e-6
    """A group whose standard deviation is at most this share of its largest absolute reward is degenerate: advantage 0.
    Range: 0…1."""
    advantage_clip: float = 5.0
    """Advantages are clipped to ± this; 0 for no limit. Range: 0…1000000."""
    clip_range: float = 0.0001
    """The ratio is clipped to 1 ± this; with `log_probability` mean this is D*`clip_range` nats of the true log-ratio.
    Range: above 0, below 1."""
    kl_reference: float = 0.0
    """Weight of the KL to a frozen reference; 0 for none. Range: 0…1000000."""
    kl_old: float = 0.0
    """Weight of ½(log p − log `p_old`)²; 0 for none. Range: 0…1000000."""
    updates_per_iteration: int = 4
    """Minibatches that each group is split into, one optimizer step each; at most `group_size`. Range: 1…4096
    minibatches."""
    schedule: Choice[Schedule, ScheduleName] = Choice(Schedule.CONSTANT)
    """Schedule of the learning rate."""
    warmup_steps: int = 0
    """Linear rise of the learning rate from 0. Range: 0…1000000000 optimizer steps."""
    total_steps: int = 1000
    """End of schedule cosine, where the learning rate is at its minimum; more than `warmup_steps`. Range: 1…1000000000
    optimizer steps."""
    min_rate_fraction: float = 0.0
    """Schedule cosine ends at this share of `learning_rate`. Range: 0…1."""
    learning_rate: float = 1e-5
    """Learning rate of AdamW, per optimizer step. Range: 0…1000."""
    beta1: float = 0.9
    """Decay of AdamW's first moment. Range: at least 0, below 1."""
    beta2: float = 0.999
    """Decay of AdamW's second moment. Range: at least 0, below 1."""
    epsilon: float = 1e-8
    """Added to the root of AdamW's second moment. Range: above 0, at most 1."""
    weight_decay: float = 0.0001
    """Decoupled weight decay, multiplied by the learning rate. Range: 0…1000."""
    max_gradient_norm: float = 1.0
    """Global norm that gradients are scaled down to; 0 for no limit. Range: 0…10^12."""
    ema_decay: float = 0.0
    """Decay of the averaged weights; 0 for none. Range: 0…1 per optimizer step."""
    fault_policy: Choice[FaultPolicy, FaultPolicyName] = Choice(FaultPolicy.STOP)
    """What a trainer does when an update is not finite or changes the model too much."""
    undo: Choice[Undo, UndoName] = Choice(Undo.MEMORY)
    """State left by a cancelled or failed update: the state before it, or that after its last finished optimizer
    step."""
    max_velocity_change: float = 1.0
    """Largest change that one iteration may cause in the velocity of its first trained latent, by root mean square; 0
    for no limit. Range: 0…1000000 times the velocity."""
    roll_back_rate_factor: float = 0.5
    """`fault_policy` `roll_back` multiplies the learning rate by this. Range: above 0, at most 1."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SampleConfig(Configuration):
    """How deterministic samples are drawn."""

    steps: int = 25
    """T, steps of the time grid from noise (sigma = 1) to image (sigma = 0). Range: 1…10000."""
    solver: Choice[Solver, SolverName] = Choice(Solver.EULER)
    """Solver of all steps."""
    samples_per_prompt: int = 1
    """S, samples of each prompt. Range: 1…4096 samples per prompt."""
    shift: float = 3.0
    """s of the time grid sigma = s*t/(1 + (s - 1)*t), t = 1 - i/T; 1 for none. Range: above 0, at most 1000."""
    image_tokens: int = 0
    """Above 0, the shift that belongs to this number of image tokens is used in place of shift. Range: 0…1000000
    tokens."""
    sigma_rounding: Choice[SigmaRounding, SigmaRoundingName] = Choice(SigmaRounding.EXACT)
    """How sigma is rounded before it is passed to the model."""
    trained_model_share: float = 1.0
    """`p_mix` of hybrid inference (MixGRPO §5): share of the steps, counted from sigma = 1, that uses the given model;
    the rest uses the base. Range: 0…1."""
    seed: int = 0
    """Seed of the initial noise. Range: 0…2^64 - 1."""
    sigmas: Sequence[float] | None = None
    """The host's own time grid in place of steps, shift and `image_tokens`: T + 1 values, strictly decreasing, the
    first at most 1, the last 0."""


@dataclass(frozen=True, kw_only=True, repr=False)
class EvaluationConfig(Configuration):
    """When a model is evaluated, and what is kept of it. The level of a reward is its mean, counted from its first
    evaluation in standard deviations of its scores then. The levels of the trained rewards are averaged, and so are
    those of the held-out ones. The watchdog remembers the evaluation with the highest held-out level. An evaluation is
    suspicious when its held-out level is more than `watchdog_minimum_delta` below that one, and its trained level more
    than `watchdog_minimum_delta` above that one."""

    every: int = 10
    """k, time between evaluations: iterations 0, k, 2k, … are due. Range: 1…1000000 iterations."""
    weights: Choice[Weights, WeightsName] = Choice(Weights.TRAINED)
    """Which of the trainer's weights are evaluated; not base."""
    keep_best: bool = True
    """Keep a copy of the best weights in memory."""
    watchdog: Choice[Watchdog, WatchdogName] = Choice(Watchdog.OFF)
    """What happens when trained rewards rise while held-out rewards fall; needs both kinds unless off."""
    watchdog_patience: int = 3
    """Consecutive suspicious evaluations before the watchdog triggers. Range: 1…1000000 evaluations."""
    watchdog_minimum_delta: float = 0.0
    """Smallest change of a level that counts. Range: 0…1000 standard deviations of the first evaluation."""
