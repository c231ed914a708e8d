"""What brought NaN or infinity into an update: velocity, log-probability or backward, and the likely cause."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..errors import NotFiniteError
from .policy import TorchPolicy
from .tensors import weight_names

_HALF = (torch.bfloat16, torch.float16)
_TURN_OFF = "call torch.backends.cuda.enable_cudnn_sdp(False) at the start of the program"


def answer_error(error: NotFiniteError, velocity: ArrayLike) -> NotFiniteError:
    """The error of an answer that the library refused, which says what was not finite."""
    if not np.isfinite(velocity).all():
        return NotFiniteError(f"{error}; the model's forward brought it")
    return NotFiniteError(
        f"log-probability: expected a finite value, got NaN or infinity, though the velocity is finite, with values of up "
        f"to {np.abs(np.asarray(velocity)).max():.3g}: rollout and update disagree, or kl_reference is too large ({error})"
    )


def gradient_error(policy: TorchPolicy, weights: Sequence[torch.Tensor], norm: float, minibatch: int) -> NotFiniteError:
    """The error of gradients whose norm is not finite, after velocities and log-probabilities that were."""
    names = weight_names(policy.velocity)
    broken = [weight for weight in weights if weight.grad is not None and not bool(weight.grad.isfinite().all())]
    where = ""
    if broken:
        first = names.get(id(broken[0]), f"a weight {tuple(broken[0].shape)}")
        where = f", in {len(broken)} of {len(weights)} weights, such as {first}"
    return NotFiniteError(
        f"gradient: expected a finite norm, got {norm} in minibatch {minibatch}; no step was taken. Velocity and "
        f"log-probability were finite: the model's backward brought it{where}. {likely_cause(policy)}"
    )


def likely_cause(policy: TorchPolicy) -> str:
    """Why a backward gives NaN where the forward is finite, and what to do."""
    if runs_cudnn_attention(policy):
        return f"Likely the backward of cuDNN's attention in half precision: {_TURN_OFF}"
    if torch.float16 in (policy.dtype, policy.autocast):
        return "Likely a gradient beyond the range of float16: pass TorchTrainer a scaler, or use bfloat16"
    return "torch.autograd.set_detect_anomaly(True) names the operation"


def runs_cudnn_attention(policy: TorchPolicy) -> bool:
    """Whether attention of the policy may run in cuDNN: on CUDA in half precision, unless it is switched off. Its backward
    gives NaN for some shapes (https://github.com/pytorch/pytorch/issues/196678)."""
    is_half = policy.dtype in _HALF or policy.autocast in _HALF
    return is_half and policy.device.type == "cuda" and bool(torch.backends.cuda.cudnn_sdp_enabled())  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def explained_faults(policy: TorchPolicy) -> Iterator[None]:
    """Adds the likely cause to a fault of the device itself, which ends the use of the device."""
    try:
        yield
    except RuntimeError as error:
        if "illegal memory access" in str(error) and runs_cudnn_attention(policy):
            error.add_note(f"mixgrpo: likely the backward of cuDNN's attention in half precision: {_TURN_OFF}")
        raise
