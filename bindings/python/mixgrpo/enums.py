# Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
"""The choices in settings and results; the values are those of the C header."""

from enum import IntEnum
from typing import Literal, TypeAlias


class Status(IntEnum):
    """0: done. Negative: an error. Positive: stopped at the host's request. The values never change."""

    OK = 0
    """Done."""
    CANCELLED = 1
    """The context was cancelled; all is as before the call (but see `Undo.NONE`)."""
    INVALID_ARGUMENT = -1
    """A value out of its range, of the wrong size, NULL, or not finite."""
    INVALID_STATE = -2
    """The call does not fit what came before, such as a submit without a request."""
    BUFFER_TOO_SMALL = -3
    """A caller's buffer is smaller than what would be written."""
    OUT_OF_MEMORY = -4
    """The system gives no more memory, or a limit that the host set is reached."""
    INPUT_OUTPUT = -5
    """The operating system refused to read or write."""
    INVALID_FORMAT = -6
    """A file's content is not what its format demands."""
    UNSUPPORTED = -7
    """A valid request that this build or machine cannot serve."""
    NOT_FINITE = -8
    """A result would be NaN or infinite; it was not applied."""
    INTERNAL = -9
    """A fault of the library itself."""
    DIVERGED = -10
    """An update would change the model too much; it was not applied."""


class LogLevel(IntEnum):
    """How important a log line is."""

    INFO = 0
    """For information."""
    WARNING = 1
    """Something may be wrong."""


class Stage(IntEnum):
    """What a call with the built-in model is doing."""

    ROLLOUT = 0
    """Sampling groups of images."""
    UPDATE = 1
    """Training on them."""
    SAMPLE = 2
    """Drawing deterministic samples."""


class Storage(IntEnum):
    """How weights are stored in a file."""

    F32 = 0
    """32 bits."""
    BF16 = 1
    """The upper 16 bits, rounded to nearest."""


StorageName: TypeAlias = Literal["f32", "bf16"]
"""A case of `Storage` by its name."""


class AdapterFormat(IntEnum):
    """The program whose files an adapter's are."""

    PEFT = 0
    """A folder: `adapter_model`.safetensors, `adapter_config`.json. Keeps rank and alpha."""
    DIFFUSERS = 1
    """A folder: `pytorch_lora_weights`.safetensors, whose B contains the factor."""
    KOHYA = 2
    """A file with the names of the original FLUX; B contains the factor."""


AdapterFormatName: TypeAlias = Literal["peft", "diffusers", "kohya"]
"""A case of `AdapterFormat` by its name."""


class Precision(IntEnum):
    """The factors of the products in the model's blocks and their attention. Softmax, norms, sums, gradients of weights
    and the optimizer are float32 with both."""

    FLOAT32 = 0
    """24 bits of mantissa."""
    BFLOAT16 = 1
    """8 bits of mantissa, rounded to nearest: half the memory for packed weights and factors, and faster products where
    AVX512_BF16 is faster than multiply-adds in float32, as on Zen 4. The bits of a result are the same on every
    processor, for any number of threads, in any batch."""


PrecisionName: TypeAlias = Literal["float32", "bfloat16"]
"""A case of `Precision` by its name."""


class Dynamics(IntEnum):
    """The stochastic step inside the window."""

    FLOW = 0
    """Flow-SDE (arXiv 2505.05470): noise g = eta*sqrt(sigma/(1 - sigma))."""
    DANCE = 1
    """Dance-SDE (arXiv 2505.07818): noise g = eta."""
    CPS = 2
    """Coefficient-preserving sampling (arXiv 2509.05952)."""


DynamicsName: TypeAlias = Literal["flow", "dance", "cps"]
"""A case of `Dynamics` by its name."""


class WindowMode(IntEnum):
    """How the window of stochastic, trained steps moves over the iterations (MixGRPO §3.2)."""

    FROZEN = 0
    """Stays at `window_start`."""
    PROGRESSIVE = 1
    """Moves by `window_stride` after every `window_interval` iterations."""
    LINEAR_DECAY = 2
    """As PROGRESSIVE, but the interval falls linearly to its minimum."""
    EXPONENTIAL_DECAY = 3
    """As PROGRESSIVE, but the interval is ceil(interval*exp(-k*max(0, l - l0)))."""
    RANDOM = 4
    """Uniform on its range; depends only on seed and iteration."""
    ALL = 5
    """Every step but the last is stochastic (Flow-GRPO, DanceGRPO)."""
    GIVEN = 6
    """The host gives the window of each iteration."""
    ADAPTIVE = 7
    """Moves when the reward's gain flattens, see `AdaptiveWindow`."""


WindowModeName: TypeAlias = Literal[
    "frozen", "progressive", "linear_decay", "exponential_decay", "random", "all", "given", "adaptive"
]
"""A case of `WindowMode` by its name."""


class WindowEnd(IntEnum):
    """What a moving window does after its last place."""

    ROLL_BACK = 0
    """Starts again at 0."""
    STAY = 1
    """Stays at the last place."""


WindowEndName: TypeAlias = Literal["roll_back", "stay"]
"""A case of `WindowEnd` by its name."""


class TrainedSubset(IntEnum):
    """Which stochastic steps are trained when all are stochastic and `trained_fraction` < 1."""

    FIRST = 0
    """The first steps."""
    RANDOM = 1
    """A random choice for each iteration."""


TrainedSubsetName: TypeAlias = Literal["first", "random"]
"""A case of `TrainedSubset` by its name."""


class Solver(IntEnum):
    """How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095."""

    EULER = 0
    """First order."""
    DPM_1 = 1
    """DPM-Solver++, first order."""
    DPM_2_MIDPOINT = 2
    """DPM-Solver++, second order, midpoint form."""
    DPM_2_HEUN = 3
    """DPM-Solver++, second order, Heun form."""
    DPM_3 = 4
    """DPM-Solver++, third order."""


SolverName: TypeAlias = Literal["euler", "dpm_1", "dpm_2_midpoint", "dpm_2_heun", "dpm_3"]
"""A case of `Solver` by its name."""


class InitialNoise(IntEnum):
    """Where the members of a group start."""

    SHARED = 0
    """All members of a group start from the same noise."""
    OWN = 1
    """Each member starts from its own noise."""


InitialNoiseName: TypeAlias = Literal["shared", "own"]
"""A case of `InitialNoise` by its name."""


class LogProbability(IntEnum):
    """The number whose difference between the new and the old policy is the logarithm of the ratio."""

    MEAN = 0
    """Log-density per value: mean_D -(x' - mu)^2/(2s^2) - ln s - (1/2)ln(2 pi)."""
    SUM = 1
    """The log-density itself: the sum over D."""
    CPS_PEER = 2
    """-mean_D (x' - mu)^2, with CPS only; not a density."""
    GUARDED = 3
    """mean_D e*mu with the step's noise e (GRPO-Guard, arXiv 2510.22319)."""


LogProbabilityName: TypeAlias = Literal["mean", "sum", "cps_peer", "guarded"]
"""A case of `LogProbability` by its name."""


class SigmaRounding(IntEnum):
    """How sigma is rounded before it is passed to the model."""

    EXACT = 0
    """Not at all."""
    THOUSANDTHS = 1
    """floor(1000 sigma)/1000, for models that take integer timesteps."""


SigmaRoundingName: TypeAlias = Literal["exact", "thousandths"]
"""A case of `SigmaRounding` by its name."""


class AdvantageMode(IntEnum):
    """How several rewards become one advantage."""

    ADVANTAGE_AGGREGATION = 0
    """Normalise each reward in its group, then take the weighted mean."""
    REWARD_AGGREGATION = 1
    """Take the weighted sum of rewards, then normalise in the group."""
    GDPO = 2
    """Normalise each reward in its group, sum weighted, then whiten over the batch."""


AdvantageModeName: TypeAlias = Literal["advantage_aggregation", "reward_aggregation", "gdpo"]
"""A case of `AdvantageMode` by its name."""


class StdScope(IntEnum):
    """Which samples the standard deviation is taken over."""

    GROUP = 0
    """The samples of one prompt."""
    BATCH = 1
    """All samples of the iteration."""


StdScopeName: TypeAlias = Literal["group", "batch"]
"""A case of `StdScope` by its name."""


class StepWeighting(IntEnum):
    """How the loss weighs the trained steps."""

    UNIFORM = 0
    """All the same."""
    BY_NOISE = 1
    """Proportional to the step's standard deviation, with mean 1."""


StepWeightingName: TypeAlias = Literal["uniform", "by_noise"]
"""A case of `StepWeighting` by its name."""


class Schedule(IntEnum):
    """The learning rate after the warm-up."""

    CONSTANT = 0
    """Stays the same."""
    COSINE = 1
    """Falls as half a cosine."""


ScheduleName: TypeAlias = Literal["constant", "cosine"]
"""A case of `Schedule` by its name."""


class FaultPolicy(IntEnum):
    """What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a
    velocity that changes by more than `max_velocity_change`. A value that is not finite is never applied. Metrics and
    log report each fault."""

    STOP = 0
    """Return NOT_FINITE or DIVERGED, with weights, optimizer and iteration as before the update: the host may save
    them, and try again with other settings."""
    SKIP = 1
    """Skip the optimizer step of a minibatch that is not finite and go on with the next; a velocity that changes too
    much undoes the whole update. The iteration counts as done."""
    ROLL_BACK = 2
    """Undo the whole update, multiply the learning rate of all later steps by `roll_back_rate_factor`, and go on with
    the next iteration."""


FaultPolicyName: TypeAlias = Literal["stop", "skip", "roll_back"]
"""A case of `FaultPolicy` by its name."""


class Undo(IntEnum):
    """State left by a cancelled or failed update."""

    MEMORY = 0
    """The state before it. The first optimizer step copies weights, moments and average, until the update has succeeded
    (a single step needs no copy if `max_velocity_change` is 0)."""
    NONE = 1
    """The state after the last finished optimizer step, and no copy. The same update may be run again and does the
    rest."""


UndoName: TypeAlias = Literal["memory", "none"]
"""A case of `Undo` by its name."""


class SettingKind(IntEnum):
    """What a field of a configuration is."""

    INTEGER = 0
    """A whole number."""
    NUMBER = 1
    """A double."""
    FLAG = 2
    """0 or 1."""
    CHOICE = 3
    """An enum, one of `cases`."""


class StepKind(IntEnum):
    """The kind of a step. Its order may be lower than the solver's, where the steps before it do not allow more. The
    first five kinds have the values of `Solver`."""

    EULER = 0
    """Deterministic, first order."""
    DPM_1 = 1
    """Deterministic, DPM-Solver++, first order."""
    DPM_2_MIDPOINT = 2
    """Deterministic, DPM-Solver++, second order, midpoint form."""
    DPM_2_HEUN = 3
    """Deterministic, DPM-Solver++, second order, Heun form."""
    DPM_3 = 4
    """Deterministic, DPM-Solver++, third order."""
    FLOW = 5
    """Stochastic, Flow-SDE."""
    DANCE = 6
    """Stochastic, Dance-SDE."""
    CPS = 7
    """Stochastic, coefficient-preserving."""


class Weights(IntEnum):
    """Which weights of a trainer."""

    TRAINED = 0
    """The model in training."""
    BASE = 1
    """As they were at creation; needs `keep_base`."""
    AVERAGE = 2
    """The exponential moving average; needs `ema_decay` > 0."""


WeightsName: TypeAlias = Literal["trained", "base", "average"]
"""A case of `Weights` by its name."""


class RequestKind(IntEnum):
    """What a rollout, an update or a host's trainer asks the host to do."""

    FINISHED = 0
    """Nothing is left to do; count is 0, pointers are NULL."""
    EVALUATE = 1
    """Evaluate the model on the latents, then submit."""
    OPTIMIZER_STEP = 2
    """Not in a rollout: step the optimizer on the accumulated gradients and zero them, then call `mixgrpo_update_next`
    or `mixgrpo_trainer_submit_step`; count is 0."""
    KEEP_STATE = 3
    """Trainer only: copy all that an optimizer step changes (weights, optimizer, schedule, averages), then call
    `mixgrpo_trainer_next`; count is 0."""
    RESTORE_STATE = 4
    """Trainer only: bring that copy back, then call `mixgrpo_trainer_next`; count is 0."""
    ZERO_GRADIENTS = 5
    """Trainer only: zero the accumulated gradients, then call `mixgrpo_trainer_next`; count is 0."""
    COMBINE_FIGURES = 6
    """Trainer with `mixgrpo_trainer_set_rank` only: exchange the ranks' figures, then call
    `mixgrpo_trainer_submit_figures`; count is 0."""


class MissingRewards(IntEnum):
    """What an update does about tickets without rewards."""

    REFUSE = 0
    """Return INVALID_STATE, naming the tickets."""
    EXCLUDE = 1
    """Exclude their samples, like samples whose rewards all failed."""


MissingRewardsName: TypeAlias = Literal["refuse", "exclude"]
"""A case of `MissingRewards` by its name."""


class Watchdog(IntEnum):
    """What the watchdog does when the trained rewards rise while the held-out ones fall."""

    OFF = 0
    """Nothing."""
    WARN = 1
    """Gives the verdict WARN."""
    STOP = 2
    """Gives the verdict STOP."""


WatchdogName: TypeAlias = Literal["off", "warn", "stop"]
"""A case of `Watchdog` by its name."""


class Verdict(IntEnum):
    """What the host should do after an evaluation."""

    CONTINUE = 0
    """Go on."""
    WARN = 1
    """Warn that training may exploit its rewards."""
    STOP = 2
    """Stop training."""


VerdictName: TypeAlias = Literal["continue", "warn", "stop"]
"""A case of `Verdict` by its name."""
