"""Align flow-matching image models with any reward, inside this process (MixGRPO, arXiv 2507.21802).

With the built-in flow transformer the host only scores:

    import mixgrpo

    model = mixgrpo.Model.load("base")
    evaluator = mixgrpo.Evaluator(model, height_tokens=8, width_tokens=8, text_length=8)
    prompts = mixgrpo.Prompts.hashed_words(lines, text_length=8, text_width=64, pooled_width=64)
    trainer = mixgrpo.Trainer(evaluator, prompts, mixgrpo.SamplingConfig(steps=16))
    codec = mixgrpo.PixelCodec(32, 32, patch=4)
    mixgrpo.train(trainer, lambda images, prompts: images.mean(axis=(1, 2, 3)), decode=codec.decode, iterations=20)
    model.save("aligned")

For a model in any framework on any device, `Rollout` and `Update` request velocities, and the host answers.

One object must not be used by two threads at once; different objects may. Arrays are used in place when they are
C-contiguous and of the right type, and converted otherwise; `out=` takes an array to write to. All errors are
`MixGRPOError`s.
"""

from ._library import library_path, library_version
from ._version import __version__
from .any_trainer import TicketedSamples
from .clipped_loss import PolicyLoss, policy_loss
from .collective import Collective, LocalRank
from .configurations import EvaluationConfig, LearningConfig, ModelConfig, SampleConfig, SamplingConfig
from .context import Context, default_context
from .enums import (
    AdapterFormat,
    AdvantageMode,
    Dynamics,
    FaultPolicy,
    InitialNoise,
    LogLevel,
    LogProbability,
    MissingRewards,
    Precision,
    RequestKind,
    Schedule,
    SigmaRounding,
    Solver,
    Stage,
    Status,
    StdScope,
    StepKind,
    StepWeighting,
    Storage,
    TrainedSubset,
    Undo,
    Verdict,
    Watchdog,
    Weights,
    WindowEnd,
    WindowMode,
)
from .errors import (
    BufferTooSmallError,
    CancelledError,
    DivergedError,
    InputOutputError,
    InternalError,
    InvalidArgumentError,
    InvalidFormatError,
    InvalidStateError,
    MixGRPOError,
    NotFiniteError,
    OutOfMemoryError,
    UnsupportedError,
)
from .evaluation import Evaluation
from .evaluator import Evaluator
from .group_advantages import Advantages, advantages
from .host_trainer import HostTrainer
from .http_reward import HTTPReward
from .image import Image
from .local_ranks import LocalRanks
from .model import Model
from .optimizer import Optimizer
from .parameters import Parameter, Tensors
from .person_reward import PersonReward
from .pixels import PixelCodec
from .plan import SCHEDULED_WINDOW, AdaptiveWindow, Plan, Workload
from .prompts import Prompts, hashed_words
from .request import VelocityRequest
from .results import (
    EvaluationResult,
    IterationPlan,
    Memory,
    Metrics,
    OptimizerReport,
    Progress,
    Resumption,
    RewardMetrics,
    Step,
    UpdateStatistics,
)
from .rollout import Rollout, StoredStep
from .settings import check, describe, preset, preset_names
from .steps import deterministic_step, normal_noise, step_log_probability, stochastic_step, time_grid
from .trainer import Trainer
from .training.argument_types import (
    Decoder,
    EvaluationReceiver,
    FilePath,
    IterationReceiver,
    Keeper,
    PromptChoice,
    Reward,
    Trainable,
)
from .training.checkpoints import TrainingCheckpoints
from .training.evaluation import TrainingEvaluation
from .training.evaluations import HackedRewardWarning
from .training.learning_warnings import LearningWarning
from .training.scoring import score
from .training.train import train
from .update import Update
from .votes import scores_from_pairs, scores_from_ratings

__all__ = [
    "SCHEDULED_WINDOW",
    "AdapterFormat",
    "AdaptiveWindow",
    "AdvantageMode",
    "Advantages",
    "BufferTooSmallError",
    "CancelledError",
    "Collective",
    "Context",
    "Decoder",
    "DivergedError",
    "Dynamics",
    "Evaluation",
    "EvaluationConfig",
    "EvaluationReceiver",
    "EvaluationResult",
    "Evaluator",
    "FaultPolicy",
    "FilePath",
    "HTTPReward",
    "HackedRewardWarning",
    "HostTrainer",
    "Image",
    "InitialNoise",
    "InputOutputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidFormatError",
    "InvalidStateError",
    "IterationPlan",
    "IterationReceiver",
    "Keeper",
    "LearningConfig",
    "LearningWarning",
    "LocalRank",
    "LocalRanks",
    "LogLevel",
    "LogProbability",
    "Memory",
    "Metrics",
    "MissingRewards",
    "MixGRPOError",
    "Model",
    "ModelConfig",
    "NotFiniteError",
    "Optimizer",
    "OptimizerReport",
    "OutOfMemoryError",
    "Parameter",
    "PersonReward",
    "PixelCodec",
    "Plan",
    "PolicyLoss",
    "Progress",
    "PromptChoice",
    "Prompts",
    "Precision",
    "RequestKind",
    "Resumption",
    "Reward",
    "RewardMetrics",
    "Rollout",
    "SampleConfig",
    "SamplingConfig",
    "Schedule",
    "SigmaRounding",
    "Solver",
    "Stage",
    "Status",
    "StdScope",
    "Step",
    "StepKind",
    "StepWeighting",
    "Storage",
    "StoredStep",
    "Tensors",
    "TicketedSamples",
    "Trainable",
    "TrainedSubset",
    "Trainer",
    "TrainingCheckpoints",
    "TrainingEvaluation",
    "Undo",
    "UnsupportedError",
    "Update",
    "UpdateStatistics",
    "VelocityRequest",
    "Verdict",
    "Watchdog",
    "Weights",
    "WindowEnd",
    "WindowMode",
    "Workload",
    "__version__",
    "advantages",
    "check",
    "default_context",
    "describe",
    "deterministic_step",
    "hashed_words",
    "library_path",
    "library_version",
    "normal_noise",
    "policy_loss",
    "preset",
    "preset_names",
    "score",
    "scores_from_pairs",
    "scores_from_ratings",
    "step_log_probability",
    "stochastic_step",
    "time_grid",
    "train",
]
