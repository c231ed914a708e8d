"""One small rollout and update: first ratio, and the gradients that reach the optimizer's weights."""

import copy
from collections.abc import Sequence

import numpy as np
import torch

from ...configurations import LearningConfig, SamplingConfig
from ...enums import InitialNoise, Undo
from ...errors import MixGRPOError
from ...results import Metrics
from ..policy import TorchPolicy, Velocity
from ..tensors import module_of, weight_names, weights_to_train
from ..trainer import TorchTrainer
from .report import Finding

_STEPS = 3
"""Of the rollout; the first is stochastic and trained."""


class _Watching(torch.optim.SGD):
    """Steps nothing, and keeps in mind which weights had a gradient."""

    def __init__(self, weights: Sequence[torch.Tensor]) -> None:
        super().__init__(weights, lr=0.0)
        self.reached: set[int] = set()

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Looks at the gradients."""
        weights = (weight for group in self.param_groups for weight in group["params"])
        self.reached |= {id(weight) for weight in weights if weight.grad is not None}


def tried(
    policy: TorchPolicy, weights: Sequence[torch.Tensor], learning: LearningConfig, prompt_index: int, batch: int
) -> list[Finding]:
    """The findings of a rollout and an update that changes no weight."""
    optimizer = _Watching(weights)
    try:
        metrics = _iteration(policy, optimizer, learning, prompt_index, batch)
    except MixGRPOError as error:
        return [Finding("gradients", "error", str(error))]
    return [_first_ratio(metrics, learning.clip_range, batch), *_gradients(policy, weights, optimizer.reached, metrics)]


def _iteration(
    policy: TorchPolicy, optimizer: _Watching, learning: LearningConfig, prompt_index: int, batch: int
) -> Metrics:
    """Two groups, so that the update finds a row at another place of its batch than the rollout."""
    group = max(2, (batch + 1) // 2)
    sampling = SamplingConfig(steps=_STEPS, window_length=1, group_size=group, initial_noise=InitialNoise.OWN)
    settings = LearningConfig(
        clip_range=learning.clip_range, kl_reference=learning.kl_reference, updates_per_iteration=2, undo=Undo.NONE,
        max_velocity_change=0,
    )  # fmt: skip
    twice = copy.copy(policy)
    twice.velocity = _OnePrompt(policy.velocity, prompt_index)
    if policy.reference is not None:
        twice.reference = _OnePrompt(policy.reference, prompt_index)
    trainer = TorchTrainer(twice, optimizer, ["", ""], sampling, settings, first_ratio="ignore")
    trainer.rollout([0, 1])
    return trainer.update(np.tile(np.arange(group, dtype=np.float32), (2, 1)))


class _OnePrompt:
    """A velocity asked for one prompt, whatever the index."""

    def __init__(self, velocity: Velocity, prompt_index: int) -> None:
        self.module = module_of(velocity)
        self._velocity = velocity
        self._prompt_index = prompt_index

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        return self._velocity(latents, sigmas, torch.full_like(prompt_index, self._prompt_index))


def _first_ratio(metrics: Metrics, clip_range: float, batch: int) -> Finding:
    difference = max(1 - metrics.first_ratio_min, metrics.first_ratio_max - 1)
    if difference == 0:
        return Finding("first ratio", "fine", f"exactly 1 in batches of {batch}")
    text = f"differs from 1 by {difference:.2g} in batches of {batch}, where clip_range is {clip_range:g}"
    if difference <= 0.1 * clip_range:
        return Finding("first ratio", "fine", text)
    return Finding(
        "first ratio", "warning" if difference <= clip_range else "error",
        f"{text}: rollout and update round a row differently, or see different models; with batch_size=1 it is exactly 1 "
        "for a deterministic module",
    )  # fmt: skip


def _gradients(
    policy: TorchPolicy, weights: Sequence[torch.Tensor], reached: set[int], metrics: Metrics
) -> list[Finding]:
    names = weight_names(policy.velocity)
    missed = [names.get(id(weight), "a weight") for weight in weights if id(weight) not in reached]
    trained = {id(weight) for weight in weights}
    outside = [names[id(weight)] for weight in weights_to_train(policy.velocity) if id(weight) not in trained]
    findings = []
    if metrics.gradient_norm == 0:
        findings.append(
            Finding(
                "gradients",
                "error",
                "expected a norm above 0, got 0: the gradient is cut off, or too small for its type",
            )
        )
    if missed:
        findings.append(
            Finding(
                "gradients", "warning", f"no gradient reaches {len(missed)} of the optimizer's {len(weights)} weights, such as "
                f"{missed[0]}: frozen, unused, of an adapter that is not active, or of an expert for other noise levels",
            )
        )  # fmt: skip
    if outside:
        findings.append(
            Finding(
                "gradients", "warning", f"{len(outside)} weights require gradients and are not the optimizer's, such as "
                f"{outside[0]}: their gradients only take memory and add up; freeze them with requires_grad_(False)",
            )
        )  # fmt: skip
    if not findings:
        text = f"reach all {len(weights)} weights of the optimizer; norm {metrics.gradient_norm:.2g}"
        findings.append(Finding("gradients", "fine", text))
    return findings
