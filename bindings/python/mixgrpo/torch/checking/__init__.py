"""Looks for what makes training go wrong, before it costs anything."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..._arguments import instance, whole
from ...configurations import LearningConfig, SamplingConfig
from ...errors import InvalidArgumentError
from ...plan import Plan
from ...plan import plan_of as plan_from
from ..embeddings import check_count
from ..own_grid import plan_of
from ..policy import TorchPolicy
from ..snapshot import require_trainable, trained_weights
from ..tensors import weight_names, weights_to_train
from .figures import clip_range, device_memory, memory, out_of_memory, precision, restart_peak
from .looks import looked_at
from .questions import Questions
from .report import CheckReport, Finding, Severity, Topic
from .trial import tried

__all__ = ["CheckReport", "Finding", "Severity", "Topic", "check"]


def check(
    policy: TorchPolicy,
    optimizer: Any = None,
    plan: Plan | SamplingConfig = SamplingConfig(),
    learning: LearningConfig = LearningConfig(),
    *,
    prompt_index: int = 0,
) -> CheckReport:
    """Runs one small rollout and update, and reports in words what is wrong:

        report = mixgrpo.torch.check(policy, optimizer)
        print(report)
        assert report.is_fit

    It looks at training mode, dropout and feature caches; asks whether the same latent gets the same velocity alone, again
    and in a batch, whether near noise levels get different ones, and whether the reference equals the model and stays when the
    weights move; and looks at first ratio, gradients, memory, the precision of weights, and what `clip_range` means for D.

    `optimizer`: that of the training; None (default) for the weights of the policy's module that require gradients. It is
    only read. `plan`, `learning`: of the training. `prompt_index`: the prompt to ask for.

    Weights, gradients and random numbers are afterwards as before. It calls the model about 30 times, in batches of
    `policy.batch_size`, or of 4. What the model itself raises is raised, but for missing memory. Raises
    `InvalidArgumentError` for arguments of another kind.
    """
    instance(policy, TorchPolicy, "policy")
    instance(learning, LearningConfig, "learning")
    check_count(policy.velocity, whole(prompt_index, "prompt_index", 0) + 1, "prompt_index")
    settings = plan_from(plan_of(policy, plan))
    findings = looked_at(policy)
    try:
        weights = _weights(policy, optimizer)
    except InvalidArgumentError as error:
        findings.append(Finding("gradients", "error", str(error)))
        weights = []
    findings.append(clip_range(policy.latent_size, learning, settings.config.log_probability))
    if weights:
        findings.append(precision(weights, _rate(optimizer)))
    if any(finding.severity == "error" for finding in findings if finding.topic in ("dropout", "feature cache")):
        return CheckReport(tuple(findings))
    levels = [step.sigma for step in settings.steps(0)]
    return CheckReport((*findings, *_run(policy, weights, learning, levels, prompt_index)))


def _run(
    policy: TorchPolicy,
    weights: list[torch.Tensor],
    learning: LearningConfig,
    levels: Sequence[float],
    prompt_index: int,
) -> list[Finding]:
    """The findings that need the model to be called."""
    batch = policy.batch_size or 4
    questions = Questions(policy, prompt_index, batch)
    findings: list[Finding] = []
    try:
        restart_peak(policy.device)
        with _left_as_found(policy, weights):
            findings += questions.determinism()
            findings += [questions.sigma(levels), questions.reference(learning.kl_reference)]
            if weights and all(finding.severity != "error" for finding in findings):
                findings += tried(policy, weights, learning, prompt_index, batch)
                findings.append(memory(policy, weights, device_memory(policy.device)))
                findings += questions.moved(weights)
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        findings.append(out_of_memory(error))
    return findings


def _weights(policy: TorchPolicy, optimizer: Any) -> list[torch.Tensor]:
    """The weights that are trained."""
    if optimizer is not None:
        require_trainable(optimizer, weight_names(policy.velocity))
        return trained_weights(optimizer)
    weights: list[torch.Tensor] = [*weights_to_train(policy.velocity)]
    if not weights:
        raise InvalidArgumentError("expected weights to train, got none that requires gradients; pass the optimizer")
    return weights


def _rate(optimizer: Any) -> float | None:
    return None if optimizer is None else float(optimizer.param_groups[0]["lr"])


@contextlib.contextmanager
def _left_as_found(policy: TorchPolicy, weights: Sequence[torch.Tensor]) -> Iterator[None]:
    """Brings back weights, gradients and random numbers at the end."""
    gradients = [(weight, weight.grad) for weight in {*weights, *weights_to_train(policy.velocity)}]
    values: list[tuple[torch.Tensor, torch.Tensor]] = []
    devices = [policy.device] if policy.device.type == "cuda" else []
    try:
        for weight, _ in gradients:
            weight.grad = None
        values += [(weight, weight.detach().clone()) for weight in weights]
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        with torch.no_grad():
            for weight, before in values:
                weight.copy_(before)
        for weight, gradient in gradients:
            weight.grad = gradient
