"""What a module shows without being called: training mode, dropout, feature caches."""

import torch

from ...errors import InvalidArgumentError
from ..policy import TorchPolicy
from ..tensors import module_of
from .report import Finding


def looked_at(policy: TorchPolicy) -> list[Finding]:
    """The findings about the module behind a policy."""
    module = module_of(policy.velocity)
    if module is None:
        return [
            Finding(
                "training mode", "warning",
                "the velocity is a function whose module cannot be seen; set the attribute `module` of the function, so "
                "that training mode and dropout are noticed",
            )
        ]  # fmt: skip
    return [_training_mode(module), _dropout(policy, module), _feature_cache(module)]


def _training_mode(module: torch.nn.Module) -> Finding:
    parts = list(module.named_modules())
    training = [name or "module" for name, part in parts if part.training]
    if not training:
        return Finding("training mode", "fine", f"all {len(parts)} parts are in evaluation mode")
    return Finding(
        "training mode", "warning",
        f"{len(training)} of {len(parts)} parts are in training mode, such as {training[0]}; call eval() on the model after "
        "adapters are added",
    )  # fmt: skip


def _dropout(policy: TorchPolicy, module: torch.nn.Module) -> Finding:
    try:
        policy.require_repeatable()
    except InvalidArgumentError as error:
        return Finding("dropout", "error", str(error))
    layers = [part for part in module.modules() if isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.p > 0]
    return Finding("dropout", "fine", f"{len(layers)} layers with p > 0, none of them active" if layers else "none")


def _feature_cache(module: torch.nn.Module) -> Finding:
    for name, part in module.named_modules():
        if getattr(part, "is_cache_enabled", False):
            config = type(getattr(part, "_cache_config", None)).__name__
            return Finding(
                "feature cache", "error",
                f"expected none, got {config} in {name or 'the module'}: rollout and update would see other features; call "
                "disable_cache()",
            )  # fmt: skip
    return Finding("feature cache", "fine", "none enabled")
