"""What follows from sizes alone: memory, the precision of weights, and the nats of a clip range."""

from collections.abc import Sequence

import torch

from ...configurations import LearningConfig
from ...enums import LogProbability
from ..policy import TorchPolicy
from ..tensors import module_of
from .report import Finding

PAPER_NATS, LEAST_NATS, MOST_NATS = 13.0, 0.1, 40.0
"""Nats of true log-ratio that `clip_range` allows: in the paper (1e-4 of 129,600 values), and a usual range."""

_GIB = 2**30


def restart_peak(device: torch.device) -> None:
    """Lets `device_memory` count from now."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def device_memory(device: torch.device) -> tuple[int, int] | None:
    """Bytes of a device at the peak since the count began, and in all; None for one that does not count them."""
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_allocated(device), torch.cuda.get_device_properties(device).total_memory


def memory(policy: TorchPolicy, weights: Sequence[torch.Tensor], measured: tuple[int, int] | None) -> Finding:
    """What training takes. `measured`: `device_memory` after an update."""
    module = module_of(policy.velocity)
    every = [] if module is None else [*module.parameters(), *module.buffers()]
    model, trained = (sum(value.numel() * value.element_size() for value in group) for group in (every, weights))
    later = 4 * trained  # two moments, and the copy of weights and moments that undoes an update, less those measured
    text = (
        f"the model takes {_size(model)}; weights to train {_size(trained)}, their gradients as much, the moments of AdamW "
        f"{_size(2 * trained)}, the copy that undoes an update {_size(3 * trained)}"
    )
    if measured is None:
        return Finding("memory", "fine", text)
    peak, total = measured
    text += f"; the peak of this check was {_size(peak)} of {_size(total)}"
    if peak + later > 0.95 * total:
        return Finding(
            "memory", "warning", f"{text}, and {_size(later)} come in a run: take a smaller batch_size, gradient "
            "checkpointing, or Undo.NONE",
        )  # fmt: skip
    if peak + later < 0.5 * total:
        text += "; a larger batch_size, or no gradient checkpointing, may be faster"
    return Finding("memory", "fine", text)


def out_of_memory(error: Exception) -> Finding:
    """The finding of a check that ran out of memory."""
    reason = str(error).partition("\n")[0]
    return Finding(
        "memory",
        "error",
        f"not enough for one small update: {reason}; take a smaller batch_size or gradient checkpointing",
    )


def precision(weights: Sequence[torch.Tensor], rate: float | None) -> Finding:
    """Whether an optimizer can move the weights by steps of the rate. `rate`: of learning, if known."""
    half = [weight for weight in weights if weight.dtype in (torch.bfloat16, torch.float16)]
    if not half:
        return Finding("precision", "fine", "weights to train are in float32 or finer")
    text = f"{len(half)} of {len(weights)} weights to train are in {half[0].dtype}"
    advice = "keep the weights to train in float32, with weight.data = weight.data.float()"
    if rate is None:
        return Finding("precision", "warning", f"{text}, in which small steps are rounded away; {advice}")
    lost = sum(int((weight.detach().abs() * (torch.finfo(weight.dtype).eps / 4) > rate).sum()) for weight in half)
    share = lost / sum(weight.numel() for weight in half)
    return Finding(
        "precision", "warning" if share > 0.01 else "fine",
        f"{text}: a step of {rate:g}, the learning rate, is rounded away in {share:.0%} of their values"
        + (f"; {advice}" if share > 0.01 else ""),
    )  # fmt: skip


def clip_range(latent_size: int, learning: LearningConfig, form: LogProbability) -> Finding:
    """What the clip range allows for latents of D values."""
    if form is LogProbability.SUM:
        text = f"{learning.clip_range:g} is as many nats of log-ratio, as log_probability is sum"
        if learning.clip_range < 0.01:
            return Finding("clip range", "warning", f"{text}, which stops nearly every step; 0.2 is usual")
        return Finding("clip range", "fine", text)
    nats = latent_size * learning.clip_range
    text = f"{learning.clip_range:g} allows {nats:.2g} nats of log-ratio for D = {latent_size:,}"
    if nats < LEAST_NATS:
        advice = f"which stops many steps; for 0.3 nats set clip_range={0.3 / latent_size:.1g}"
        return Finding("clip range", "warning", f"{text}, {advice}")
    if nats > MOST_NATS:
        advice = f"which stops hardly any step; for the paper's {PAPER_NATS:g} nats set clip_range="
        return Finding("clip range", "warning", f"{text}, {advice}{PAPER_NATS / latent_size:.1g}")
    return Finding("clip range", "fine", f"{text}; the paper's FLUX.1-dev has {PAPER_NATS:g}")


def _size(count: int) -> str:
    return f"{count / _GIB:.2f} GiB" if count >= _GIB / 10 else f"{count / 2**20:.2f} MiB"
