# Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
"""What the library reports: plans, progress, figures."""

from dataclasses import dataclass

from ._one_line import InOneLine
from .enums import Stage, StepKind, Verdict


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of one call with the built-in model."""

    stage: Stage
    """What is being done."""
    done: int
    """Latents evaluated in this call so far."""
    total: int
    """Latents this call will evaluate, if no sample is excluded."""


@dataclass(frozen=True, kw_only=True)
class IterationPlan:
    """The window and the work of one iteration."""

    window_start: int
    """l; 0 with ALL."""
    window_length: int
    """w; T - 1 with ALL."""
    step_count: int
    """All steps, after Flash has shortened the tail."""
    trained_step_count: int
    """Stochastic steps that the update trains."""
    model_calls_per_image: int
    """One for each step: without sharing, the way that papers count."""
    rollout_model_calls: int
    """Latents that the rollout evaluates, with sharing as set."""
    update_model_calls: int
    """Latents that the update evaluates forward and backward, if no sample is excluded."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step is one affine transition from sigma to `next_sigma`: x' = latent*x + velocity*v + history[0]*m1 +
    history[1]*m2 + noise*e, e standard normal, with v the velocity at x, and m1, m2 the data predictions m = x -
    sigma*v of the previous step and of the one before it. The mean is affine in v with slope `velocity`; `noise` is the
    standard deviation s, 0 for a deterministic step."""

    kind: StepKind
    """What the step is."""
    sigma: float
    """The noise level before the step."""
    next_sigma: float
    """The noise level after it."""
    latent: float
    """The factor of x."""
    velocity: float
    """The factor of v."""
    history: tuple[float, float]
    """The factors of m1 and m2."""
    noise: float
    """s, the factor of e."""
    trained: bool
    """The update trains this step; no step that stands alone is trained."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Predicted peak memory of one iteration, bytes. The model's values are 0 when the host owns the model. The process
    itself comes on top: its code and tables, 10 to 20 MB before the first model, and the host's own memory."""

    update_batch: int
    """Latents in one request of an update; 0 without one, or when the host owns the model."""
    trajectory_bytes: int
    """Latents of the rollout and its stored window steps; with learning, also the update's."""
    weight_bytes: int
    """Weights; with learning, also gradients, moments, average, reference, and the copy that `Undo.MEMORY` keeps."""
    activation_bytes: int
    """Working memory of the evaluators."""
    peak_bytes: int
    """The sum of the fields above."""


@dataclass(frozen=True, kw_only=True)
class UpdateStatistics:
    """Figures of an update so far. A ratio is r of the loss. Values in nats are of the true log-density (the sum over
    D). NaN where nothing was seen."""

    optimizer_steps: int
    """Optimizer steps asked for."""
    loss: float
    """Mean over samples and trained steps."""
    first_ratio_min: float
    """Smallest ratio before the first optimizer step: exactly 1 when the model answers the update as it answered the
    rollout."""
    first_ratio_max: float
    """Largest ratio before the first optimizer step: likewise 1."""
    ratio_min: float
    """Smallest ratio."""
    ratio_max: float
    """Largest ratio."""
    clip_fraction: float
    """Share of ratios at which the clip stopped the gradient."""
    max_log_ratio_nats: float
    """Largest absolute change of log p."""
    kl_old_nats: float
    """KL(old, new) of a step, mean."""
    kl_reference_nats: float
    """KL(new, reference) of a step, mean; 0 without a reference."""
    model_calls: int
    """Latents evaluated forward and backward."""


@dataclass(frozen=True, kw_only=True)
class OptimizerReport:
    """What an optimizer step did."""

    step: int
    """Steps done, this one included."""
    gradient_norm: float
    """Before the clip."""
    learning_rate: float
    """Of this step."""


@dataclass(frozen=True, kw_only=True)
class Metrics(InOneLine):
    """One iteration in figures. A ratio is r of the loss. Values in nats are of the true log-density (the sum over D).
    NaN where there is nothing to report."""

    window_start: int
    """l, the first step of the window."""
    window_length: int
    """w, the steps in the window."""
    failed_rewards: int
    """Rewards that were not finite."""
    degenerate_groups: int
    """Groups without differences in reward."""
    skipped_steps: int
    """Optimizer steps that `FaultPolicy.SKIP` skipped."""
    rolled_back: bool
    """The update was undone by `FaultPolicy.SKIP` or `FaultPolicy.ROLL_BACK`."""
    iteration: int
    """The iteration of these figures, from 0."""
    model_calls_rollout: int
    """Latents that the rollout evaluated."""
    model_calls_update: int
    """Latents that the update evaluated forward and backward."""
    reward_mean: float
    """Weighted mean over K of the rewards' means."""
    reward_std: float
    """Weighted mean over K of the rewards' standard deviations."""
    loss: float
    """Mean over samples and trained steps."""
    first_ratio_min: float
    """Smallest ratio before the first optimizer step: exactly 1."""
    first_ratio_max: float
    """Largest ratio before the first optimizer step: exactly 1."""
    ratio_min: float
    """Smallest ratio."""
    ratio_max: float
    """Largest ratio."""
    clip_fraction: float
    """Share of ratios at which the clip stopped the gradient, 0...1."""
    max_log_ratio_nats: float
    """Largest absolute change of log p."""
    kl_old_nats: float
    """KL(old, new) of a step, mean."""
    kl_reference_nats: float
    """KL(new, reference) of a step, mean; 0 without a reference."""
    gradient_norm: float
    """Mean over the minibatches, before the clip."""
    learning_rate: float
    """Of the last optimizer step."""
    velocity_change: float
    """See `max_velocity_change`; NaN where it was not measured."""
    seconds_rollout: float
    """Wall-clock time of the rollout."""
    seconds_update: float
    """Wall-clock time of the update."""


@dataclass(frozen=True, kw_only=True)
class RewardMetrics:
    """One reward of the latest iteration."""

    failed: int
    """Values that were not finite."""
    mean: float
    """Of the finite values; NaN when there was none."""
    std: float
    """Standard deviation of the finite values."""
    name: str
    """As given to the trainer."""


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """What a trainer was resumed from."""

    skipped: int
    """Newer checkpoints skipped because they are incomplete; a log line (WARNING) gives the reason for each."""
    iteration: int
    """The one that comes next; -1 when there is no checkpoint, or no folder: nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """One evaluation in figures."""

    is_best: bool
    """The score is the highest so far."""
    verdict: Verdict
    """What the host should do now."""
    failed: int
    """Scores that were not finite; they are excluded, never counted as 0."""
    worsening: int
    """Consecutive suspicious evaluations."""
    iteration: int
    """Of the trainer when the samples were drawn."""
    best_iteration: int
    """-1 when no evaluation had a score."""
    score: float
    """Weighted mean over K of the rewards' means; NaN when one of nonzero weight has none."""
    best_score: float
    """The highest score so far, that of `best_iteration`."""
    message: str
    """The reason, in one line; "" with CONTINUE."""
