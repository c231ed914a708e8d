"""The choices in settings and results; the values are those of the C header."""

from enum import IntEnum


class LogLevel(IntEnum):
    """How serious a log line is."""

    INFO = 0
    WARNING = 1


class Stage(IntEnum):
    """What a progress report is about."""

    ROLLOUT = 0
    UPDATE = 1
    SAMPLE = 2


class Storage(IntEnum):
    """The type of saved weights."""

    F32 = 0
    BF16 = 1


class Dynamics(IntEnum):
    """The stochastic step inside the window."""

    FLOW = 0
    """Flow-SDE (arXiv 2505.05470): noise g = eta*sqrt(sigma/(1 - sigma))."""
    DANCE = 1
    """Dance-SDE (arXiv 2505.07818): noise g = eta."""
    CPS = 2
    """Coefficient-preserving sampling (arXiv 2509.05952)."""


class WindowMode(IntEnum):
    """How the window of stochastic, trained steps moves over the iterations (Mix §3.2, arXiv 2507.21802)."""

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
    STAY = 1


class TrainedSubset(IntEnum):
    """Which stochastic steps are trained when all are stochastic and `trained_fraction` is below 1."""

    FIRST = 0
    RANDOM = 1


class Watchdog(IntEnum):
    """What happens when the trained rewards rise while the held-out ones fall."""

    OFF = 0
    WARN = 1
    STOP = 2


class Verdict(IntEnum):
    """What an evaluation says about going on."""

    CONTINUE = 0
    WARN = 1
    STOP = 2


class Solver(IntEnum):
    """How deterministic steps follow the flow. DPM-Solver++: arXiv 2211.01095."""

    EULER = 0
    DPM_1 = 1
    DPM_2_MIDPOINT = 2
    DPM_2_HEUN = 3
    DPM_3 = 4


class InitialNoise(IntEnum):
    """Whether the members of a group start from the same noise."""

    SHARED = 0
    OWN = 1


class LogProbability(IntEnum):
    """The number whose difference between new and old policy is the logarithm of the ratio."""

    MEAN = 0
    """Log-density per value, the mean over the D values of a latent."""
    SUM = 1
    """The log-density itself: the sum over D."""
    CPS_PEER = 2
    """-mean_D (x' - mu)^2, with CPS only; not a density."""
    GUARDED = 3
    """mean_D e*mu with the step's noise e (GRPO-Guard, arXiv 2510.22319)."""


class SigmaRounding(IntEnum):
    """How the model is told a noise level."""

    EXACT = 0
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
    """Over what the standard deviation in the divisor is taken."""

    GROUP = 0
    BATCH = 1


class StepWeighting(IntEnum):
    """The weight of each trained step in the loss."""

    UNIFORM = 0
    BY_NOISE = 1
    """Proportional to the step's standard deviation, with mean 1."""


class Schedule(IntEnum):
    """The learning rate over the optimizer steps, after the warm-up."""

    CONSTANT = 0
    COSINE = 1


class FaultPolicy(IntEnum):
    """What a trainer's update does about a fault: a loss, gradient or weight that is or would be NaN or infinite, or a
    velocity that changes by more than `max_velocity_change`. Nothing unsound is ever applied."""

    STOP = 0
    """`NotFinite` or `Diverged`, with everything as before the update."""
    SKIP = 1
    """Leave out the optimizer step of a part that is not finite; a velocity that changes too much undoes the whole
    update. The iteration counts as done."""
    ROLL_BACK = 2
    """Undo the whole update, multiply the learning rate by `roll_back_rate_factor`, go on with the next iteration."""


class Undo(IntEnum):
    """What an update that is cancelled or fails leaves behind."""

    MEMORY = 0
    """The state before it; the first optimizer step keeps a copy until the update has succeeded."""
    NONE = 1
    """The state after the last finished optimizer step, and no copy; the update may be repeated and goes on from there.
    Goes with `max_velocity_change` 0 and without ROLL_BACK."""


class StepKind(IntEnum):
    """What a step is, after its order was lowered to what its place allows."""

    EULER = 0
    DPM_1 = 1
    DPM_2_MIDPOINT = 2
    DPM_2_HEUN = 3
    DPM_3 = 4
    FLOW = 5
    DANCE = 6
    CPS = 7


class RequestKind(IntEnum):
    """What a rollout or an update asks for."""

    FINISHED = 0
    """Nothing is left to do. Iterators end instead of giving this."""
    EVALUATE = 1
    """Evaluate the model on the latents, then submit."""
    OPTIMIZER_STEP = 2
    """Step the optimizer on what was accumulated and zero the gradients. Updates only."""


class Weights(IntEnum):
    """Which weights of a trainer."""

    TRAINED = 0
    BASE = 1
    """As they were at creation; needs `keep_base`."""
    AVERAGE = 2
    """The exponential moving average; needs `ema_decay` above 0."""


class MissingRewards(IntEnum):
    """What an update does about tickets without rewards."""

    REFUSE = 0
    """It raises `InvalidState`, naming them."""
    LEAVE_OUT = 1
    """It leaves their samples out, as if every reward of theirs had failed."""
