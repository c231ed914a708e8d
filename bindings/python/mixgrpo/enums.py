# Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
"""The choices in settings and results; the values are those of the C header."""

from enum import IntEnum


class Status(IntEnum):
    """0: done. Negative: an error. Positive: stopped at the host's request. The values are pinned."""

    OK = 0
    """Done."""
    CANCELLED = 1
    """The context was cancelled; everything is as before the call (see `Undo.NONE`)."""
    INVALID_ARGUMENT = -1
    """A value out of its range, of the wrong size, NULL, or not finite."""
    INVALID_STATE = -2
    """The call does not fit what came before, such as a submit without a request."""
    BUFFER_TOO_SMALL = -3
    """A caller's buffer is smaller than what would be written."""
    OUT_OF_MEMORY = -4
    """Memory that cannot be had."""
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
    """An update would take the model too far from what it was; it was not applied."""


class LogLevel(IntEnum):
    """How much a log line matters."""

    INFO = 0
    """Good to know."""
    WARNING = 1
    """Something is not as it should be."""


class Stage(IntEnum):
    """What a call with the built-in model is doing."""

    ROLLOUT = 0
    """Sampling groups of images."""
    UPDATE = 1
    """Training on them."""
    SAMPLE = 2
    """Drawing deterministic samples."""


class Storage(IntEnum):
    """How weights are written."""

    F32 = 0
    """32 bits."""
    BF16 = 1
    """The upper 16 of them, rounded to nearest."""


class Dynamics(IntEnum):
    """The stochastic step inside the window."""

    FLOW = 0
    """Flow-SDE (arXiv 2505.05470): noise g = eta*sqrt(sigma/(1 - sigma))."""
    DANCE = 1
    """Dance-SDE (arXiv 2505.07818): noise g = eta."""
    CPS = 2
    """Coefficient-preserving sampling (arXiv 2509.05952)."""


class WindowMode(IntEnum):
    """How the window of stochastic, trained steps moves over the iterations (MixGRPO §3.2)."""

    FROZEN = 0
    """Stays at `window_start`."""
    PROGRESSIVE = 1
    """Moves by `window_stride` after every `window_interval` iterations."""
    LINEAR_DECAY = 2
    """As progressive; the interval falls linearly to its minimum."""
    EXPONENTIAL_DECAY = 3
    """As progressive; the interval is ceil(interval*exp(-k*max(0, l - l0)))."""
    RANDOM = 4
    """Uniform on its range, drawn from seed and iteration alone."""
    ALL = 5
    """Every step but the last is stochastic (Flow-GRPO, DanceGRPO)."""
    GIVEN = 6
    """The host gives the window of each iteration."""
    ADAPTIVE = 7
    """Moves when the reward's gain flattens, see `AdaptiveWindow`."""


class WindowEnd(IntEnum):
    """What a moving window does at the end of its range."""

    ROLL_BACK = 0
    """Begins again."""
    STAY = 1
    """Stays there."""


class TrainedSubset(IntEnum):
    """Which stochastic steps are trained when all are stochastic and `trained_fraction` < 1."""

    FIRST = 0
    """The first."""
    RANDOM = 1
    """A random choice."""


class Solver(IntEnum):
    """How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095."""

    EULER = 0
    """First order."""
    DPM_1 = 1
    """DPM-Solver++ of first order."""
    DPM_2_MIDPOINT = 2
    """DPM-Solver++ of second order, midpoint."""
    DPM_2_HEUN = 3
    """DPM-Solver++ of second order, Heun."""
    DPM_3 = 4
    """DPM-Solver++ of third order."""


class InitialNoise(IntEnum):
    """Where the members of a group start."""

    SHARED = 0
    """All members of a group start from the same noise."""
    OWN = 1
    """Each member starts from its own."""


class LogProbability(IntEnum):
    """The number whose difference between new and old policy is the logarithm of the ratio."""

    MEAN = 0
    """Log-density per value: mean_D -(x' - mu)^2/(2s^2) - ln s - (1/2)ln(2 pi)."""
    SUM = 1
    """The log-density itself: the sum over D."""
    CPS_PEER = 2
    """-mean_D (x' - mu)^2, with CPS only; not a density."""
    GUARDED = 3
    """mean_D e*mu with the step's noise e (GRPO-Guard, arXiv 2510.22319)."""


class SigmaRounding(IntEnum):
    """How the model is told a noise level."""

    EXACT = 0
    """As it is."""
    THOUSANDTHS = 1
    """floor(1000 sigma)/1000, for models served behind integer timesteps."""


class AdvantageMode(IntEnum):
    """How several rewards become one advantage."""

    ADVANTAGE_AGGREGATION = 0
    """Normalise each reward in its group, then take the weighted mean."""
    REWARD_AGGREGATION = 1
    """Take the weighted sum of rewards, then normalise in the group."""
    GDPO = 2
    """Normalise each reward in its group, sum weighted, then whiten over the batch."""


class StdScope(IntEnum):
    """Over what the divisor of an advantage is taken."""

    GROUP = 0
    """Over the group."""
    BATCH = 1
    """Over all groups of the iteration."""


class StepWeighting(IntEnum):
    """How much each trained step counts."""

    UNIFORM = 0
    """All the same."""
    BY_NOISE = 1
    """Proportional to the step's standard deviation, with mean 1."""


class Schedule(IntEnum):
    """How the learning rate goes after the warm-up."""

    CONSTANT = 0
    """Stays."""
    COSINE = 1
    """Falls as a half cosine."""


class FaultPolicy(IntEnum):
    """What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a
    velocity that changes by more than `max_velocity_change`. Nothing unsound is ever applied, and metrics and log tell
    of each fault."""

    STOP = 0
    """NOT_FINITE or DIVERGED, with weights, optimizer and iteration as before the update: the host may save them, and
    try again with other settings."""
    SKIP = 1
    """Leave out the optimizer step of a part that is not finite and go on with the next part; a velocity that changes
    too much undoes the whole update. The iteration counts as done."""
    ROLL_BACK = 2
    """Undo the whole update, multiply the learning rate of all steps to come by `roll_back_rate_factor`, and go on with
    the next iteration."""


class Undo(IntEnum):
    """What an update leaves behind that is cancelled or fails. MEMORY: the state before it; the first optimizer step
    keeps a copy of weights, moments and average until the update has succeeded (a single step needs none if
    `max_velocity_change` is 0). NONE: the state after the last finished optimizer step, and no copy; the same update
    may be run again and goes on from there."""

    MEMORY = 0
    """The state before it."""
    NONE = 1
    """The state after the last finished optimizer step; goes with `max_velocity_change` 0 and without ROLL_BACK."""


class StepKind(IntEnum):
    """What a step is, after its order was lowered to what its place allows: the first five as `Solver`."""

    EULER = 0
    """Deterministic, first order."""
    DPM_1 = 1
    """Deterministic, DPM-Solver++ of first order."""
    DPM_2_MIDPOINT = 2
    """Deterministic, DPM-Solver++ of second order, midpoint."""
    DPM_2_HEUN = 3
    """Deterministic, DPM-Solver++ of second order, Heun."""
    DPM_3 = 4
    """Deterministic, DPM-Solver++ of third order."""
    FLOW = 5
    """Stochastic, Flow-SDE."""
    DANCE = 6
    """Stochastic, Dance-SDE."""
    CPS = 7
    """Stochastic, coefficient-preserving."""


class RequestKind(IntEnum):
    """What is asked for."""

    FINISHED = 0
    """Nothing is left to do; count is 0, pointers are NULL."""
    EVALUATE = 1
    """Evaluate the model on the latents, then submit."""
    OPTIMIZER_STEP = 2
    """Update only: step the optimizer on what was accumulated, zero the gradients, then call next again; count is 0."""


class MissingRewards(IntEnum):
    """What an update does about tickets without rewards."""

    REFUSE = 0
    """INVALID_STATE, naming them."""
    LEAVE_OUT = 1
    """Their samples are left out, as if every reward of theirs had failed."""


class Weights(IntEnum):
    """Which weights of a trainer."""

    TRAINED = 0
    """Those in training."""
    BASE = 1
    """As they were at creation; needs `keep_base`."""
    AVERAGE = 2
    """The exponential moving average; needs `ema_decay` > 0."""


class Watchdog(IntEnum):
    """What the watchdog does when the trained rewards rise while the held-out ones fall."""

    OFF = 0
    """Nothing."""
    WARN = 1
    """A warning."""
    STOP = 2
    """The host is told to stop."""


class Verdict(IntEnum):
    """What an evaluation says about going on."""

    CONTINUE = 0
    """Go on."""
    WARN = 1
    """The rewards are perhaps being hacked."""
    STOP = 2
    """The same, and the host wanted to stop then."""
