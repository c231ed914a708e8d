"""How latents, velocities and gradients get from the library's memory to a model's device and back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._arrays import FloatArray

PAGE_LOCKING = ("cuda", "xpu")
"""Types of devices that copy from and to page-locked memory while the processor goes on."""


class Crossing:
    """To a model on the CPU: tensors share the memory of the library's arrays where the type allows it."""

    shares_memory = True
    """Whether latents lie in the library's memory."""

    def latents(self, values: FloatArray, shape: tuple[int, ...]) -> torch.Tensor:
        """float32 latents of this shape on the device. Nobody may write to them: PyTorch knows no read-only tensors."""
        alias: NDArray[Any] = values.view()
        alias.flags.writeable = True
        return torch.from_numpy(alias).view(shape)

    def array(self, velocity: torch.Tensor) -> FloatArray:
        """A float32 array of a tensor's values."""
        return np.asarray(velocity.detach().to("cpu", torch.float32).contiguous().numpy())

    def gradient_array(self, shape: tuple[int, ...]) -> FloatArray | None:
        """Where the library shall write dL/dvelocity; None for memory of its own choice."""
        return None

    def gradient(self, d_velocity: FloatArray, velocity: torch.Tensor) -> torch.Tensor:
        """dL/dvelocity as autograd takes it: on the velocity's device and in its type."""
        return torch.from_numpy(d_velocity).to(velocity)


class PageLockedCrossing(Crossing):
    """To a model on an accelerator, through page-locked memory and on the model's own stream.

    The processor waits only for velocities: it launches the model while latents are being copied, and prepares the
    update's next request during the backward of this one. Types are converted on the device, because PyTorch's threads
    on the processor and those of the library would wait for each other.

    PyTorch caches page-locked tensors, and hands out their memory again only when the copies from it are done.

    `empty` makes page-locked tensors.
    """

    shares_memory = False

    def __init__(self, device: torch.device, empty: Callable[..., torch.Tensor] | None = None) -> None:
        self._device = device
        self._empty = empty or _page_locked
        self._gradient: torch.Tensor | None = None  # where the library wrote dL/dvelocity last

    def latents(self, values: FloatArray, shape: tuple[int, ...]) -> torch.Tensor:
        """float32 latents of this shape, a copy on the device."""
        staged = self._empty(shape)
        staged.numpy().reshape(-1)[:] = values.reshape(-1)
        return staged.to(self._device, non_blocking=True)

    def array(self, velocity: torch.Tensor) -> FloatArray:
        """As for the CPU, in page-locked memory."""
        target = self._empty(tuple(velocity.shape))
        target.copy_(velocity.detach().float())
        return np.asarray(target.numpy())

    def gradient_array(self, shape: tuple[int, ...]) -> FloatArray | None:
        """Page-locked memory."""
        self._gradient = self._empty(shape)
        return np.asarray(self._gradient.numpy())

    def gradient(self, d_velocity: FloatArray, velocity: torch.Tensor) -> torch.Tensor:
        """As for the CPU, converted on the device."""
        source, self._gradient = self._gradient, None
        if source is None or d_velocity.size != source.numel() or d_velocity.ctypes.data != source.data_ptr():
            source = torch.from_numpy(d_velocity)  # other memory
        return source.view(velocity.shape).to(velocity.device, non_blocking=True).to(velocity.dtype)


def crossing_to(device: torch.device) -> Crossing:
    """The way to a device."""
    return PageLockedCrossing(device) if device.type in PAGE_LOCKING else Crossing()


def _page_locked(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float32, pin_memory=True)
