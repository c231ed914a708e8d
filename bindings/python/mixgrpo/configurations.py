# Generated from the library's table of settings; write it anew with `make generate` instead of editing it.
"""The configurations. Bounds that depend on other settings are checked when a plan, an update or a trainer is made, or by
`check`; all problems are reported at once."""

from dataclasses import dataclass

from ._configuration import Configuration, ModelFolder
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
    Watchdog,
    Weights,
    WindowEnd,
    WindowMode,
)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ModelFolder):
    """The sizes of a model. The names are those of diffusers' config.json."""

    in_channels: int = 48
    """C, channels of an image token; 1…65536."""
    out_channels: int = 48
    """Channels of the velocity; `in_channels` of a model that is sampled from; 1…65536."""
    num_layers: int = 2
    """Double-stream blocks; 0…1000."""
    num_single_layers: int = 4
    """Single-stream blocks; 0…1000."""
    attention_head_dim: int = 32
    """Channels of a head, the sum of `axes_dims_rope`; 2…4096."""
    num_attention_heads: int = 4
    """Attention heads; times `attention_head_dim` at most 65536; 1…1024."""
    joint_attention_dim: int = 64
    """J, width of a text token; 1…65536."""
    pooled_projection_dim: int = 64
    """Q, width of the pooled text; 1…65536."""
    guidance_embeds: bool = False
    """The model takes a guidance value."""
    axes_dims_rope: tuple[int, int, int] = (4, 14, 14)
    """Rotary dimensions of the three position axes, each even; each 0…4096."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(Configuration):
    """How samples are drawn. The window has w steps and starts at l in 0...T - 1 - w: the last step is never in it."""

    steps: int = 25
    """T, steps from noise (sigma = 1) to picture (0); 2…10000."""
    shift: float = 3.0
    """Of the noise levels towards noise; 1 for none; above 0, at most 1000."""
    image_tokens: int = 0
    """Above 0: the shift that goes with so many tokens, in place of shift; 0…1000000 tokens."""
    sigma_rounding: SigmaRounding = SigmaRounding.EXACT
    """How the model is given the noise level."""
    dynamics: Dynamics = Dynamics.FLOW
    """The stochastic step."""
    solver: Solver = Solver.EULER
    """Of the steps outside the window."""
    noise_level: float = 0.7
    """eta of the stochastic step; with cps at most 1; above 0, at most 10."""
    flash_ratio: float = 0.0
    """MixGRPO-Flash: the steps after the window shrink to this share; 0 for off; 0…1."""
    flash_solver: Solver = Solver.DPM_2_MIDPOINT
    """Of these steps."""
    window_mode: WindowMode = WindowMode.PROGRESSIVE
    """How the window of stochastic, trained steps moves."""
    window_length: int = 4
    """w, stochastic steps, at most steps - 1; not used by all; 1…9999 steps."""
    window_start: int = 0
    """Of a frozen window, at most steps - 1 - `window_length`; 0…9998 steps."""
    window_stride: int = 1
    """By which the window moves at a time; 1…1000000 steps."""
    window_interval: int = 25
    """Between moves; with a decay the first, with adaptive the most; 1…1000000 iterations."""
    window_minimum_interval: int = 1
    """The last interval of `linear_decay`, the least of adaptive; at most `window_interval`; 1…1000000 iterations."""
    window_at_end: WindowEnd = WindowEnd.ROLL_BACK
    """What the window does after its last place."""
    window_decay_threshold: int = 13
    """The window's start from which `exponential_decay` shortens the interval; 0…1000000 steps."""
    window_trend: int = 10
    """That adaptive judges the reward's gain over; 2…1000000 iterations."""
    window_decay_rate: float = 0.1
    """Of `exponential_decay`; 0…100 per step."""
    window_minimum_gain: float = 0.01
    """Adaptive moves when the reward gains less; -1000…1000 standard deviations per iteration."""
    trained_fraction: float = 1.0
    """With all: the trained share of the stochastic steps; above 0, at most 1."""
    trained_subset: TrainedSubset = TrainedSubset.FIRST
    """With all: which of them."""
    group_size: int = 12
    """G, images of one prompt that are compared with each other; 2…4096 images per prompt."""
    initial_noise: InitialNoise = InitialNoise.SHARED
    """Of the members of a group."""
    exact_sharing: bool = True
    """Evaluate equal latents once; changes no result."""
    log_probability: LogProbability = LogProbability.MEAN
    """What the ratio is made of."""
    seed: int = 0
    """Of all random numbers of the run; 0…2^64 - 1."""


@dataclass(frozen=True, kw_only=True)
class LearningConfig(Configuration):
    """How the model learns: advantages, policy loss, optimizer."""

    advantage_mode: AdvantageMode = AdvantageMode.ADVANTAGE_AGGREGATION
    """How several rewards are joined."""
    std_scope: StdScope = StdScope.GROUP
    """Of the standard deviation that advantages are divided by."""
    step_weighting: StepWeighting = StepWeighting.UNIFORM
    """Of the trained steps in the loss."""
    trim_fraction: float = 0.0
    """Share cut off each end of a group for mean and standard deviation; at least 0, below 0.5."""
    degenerate_tolerance: float = 1e-6
    """A group whose standard deviation is at most this share of its largest reward in magnitude gets advantage 0;
    0…1."""
    advantage_clip: float = 5.0
    """Advantages are clipped to ± this; 0 for no limit; 0…1000000."""
    clip_range: float = 0.0001
    """The ratio is clipped to 1 ± this; above 0, below 1."""
    kl_reference: float = 0.0
    """Weight of the KL to the model as it was at the start; 0 for none; 0…1000000."""
    kl_old: float = 0.0
    """Weight of ½(log p − log `p_old`)²; 0 for none; 0…1000000."""
    updates_per_iteration: int = 4
    """Parts that each group is split into, at most `group_size`; 1…4096 optimizer steps."""
    schedule: Schedule = Schedule.CONSTANT
    """Of the learning rate."""
    warmup_steps: int = 0
    """Of linear rise from 0; 0…1000000000 optimizer steps."""
    total_steps: int = 1000
    """Until cosine is at its lowest, more than `warmup_steps`; 1…1000000000 optimizer steps."""
    min_rate_fraction: float = 0.0
    """Cosine ends at this share of `learning_rate`; 0…1."""
    learning_rate: float = 1e-5
    """Of AdamW, per step; 0…1000."""
    beta1: float = 0.9
    """Decay of AdamW's first moment; at least 0, below 1."""
    beta2: float = 0.999
    """Decay of AdamW's second moment; at least 0, below 1."""
    epsilon: float = 1e-8
    """Added to the root of the second moment; above 0, at most 1."""
    weight_decay: float = 0.0001
    """Decoupled, times learning rate; 0…1000."""
    max_gradient_norm: float = 1.0
    """Global norm the gradients are scaled down to; 0 for no limit; 0…10^12."""
    ema_decay: float = 0.0
    """Of averaged weights; 0 for none; 0…1 per optimizer step."""
    fault_policy: FaultPolicy = FaultPolicy.STOP
    """When an update is not finite or changes too much."""
    undo: Undo = Undo.MEMORY
    """What a stopped update leaves: with memory the state before it."""
    max_velocity_change: float = 1.0
    """An update that changes the velocity by more is a fault; 0 for no limit; 0…1000000 share of the velocity, per
    iteration."""
    roll_back_rate_factor: float = 0.5
    """`roll_back` multiplies the learning rate by this; above 0, at most 1."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Configuration):
    """How deterministic samples are drawn."""

    steps: int = 25
    """T, steps from noise to picture; 1…10000."""
    solver: Solver = Solver.EULER
    """How all steps follow the flow."""
    samples_per_prompt: int = 1
    """S, of each prompt; 1…4096 images."""
    shift: float = 3.0
    """Of the noise levels towards noise; 1 for none; above 0, at most 1000."""
    image_tokens: int = 0
    """Above 0: the shift that goes with so many tokens, in place of shift; 0…1000000 tokens."""
    sigma_rounding: SigmaRounding = SigmaRounding.EXACT
    """How the model is given the noise level."""
    trained_model_share: float = 1.0
    """Share of the steps, from sigma = 1 on, that the given model takes; the base takes the rest; 0…1."""
    seed: int = 0
    """Of the initial noise; 0…2^64 - 1."""


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(Configuration):
    """When a model is evaluated, and what is kept of it. The level of a reward is its mean, counted from its first
    evaluation in standard deviations of its scores then. The levels of the trained rewards are averaged, and so are
    those of the held-out ones. The watchdog remembers the evaluation with the highest held-out level. An evaluation is
    suspicious when its held-out level is more than `watchdog_minimum_delta` below that one, and its trained level more
    than `watchdog_minimum_delta` above that one."""

    every: int = 10
    """Between evaluations: 0, k, 2k, … are due; 1…1000000 iterations."""
    weights: Weights = Weights.TRAINED
    """Which weights are evaluated; not base."""
    keep_best: bool = True
    """Keep a copy of the best weights."""
    watchdog: Watchdog = Watchdog.OFF
    """When trained rewards rise while held-out ones fall."""
    watchdog_patience: int = 3
    """Suspicious ones in a row before the watchdog acts; 1…1000000 evaluations."""
    watchdog_minimum_delta: float = 0.0
    """The change that counts; 0…1000 standard deviations of the first evaluation."""
