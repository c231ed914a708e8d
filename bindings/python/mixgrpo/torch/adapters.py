"""LoRA and other adapters: the model without them as the frozen reference."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import InvalidArgument
from .policy import Velocity


class WithoutAdapters:
    """The same velocity with the adapters of its modules switched off: the reference of a LoRA run, at no memory.

        policy = TorchPolicy(velocity, shape, reference=WithoutAdapters(velocity, transformer))

    `modules`: each wrapped by peft, or one of diffusers after `add_adapter`.
    """

    def __init__(self, velocity: Velocity, *modules: Any) -> None:
        for module in modules:
            if not (hasattr(module, "disable_adapter") or hasattr(module, "disable_adapters")):
                got = type(module).__name__
                raise InvalidArgument(f"module: expected one with adapters of peft or diffusers, got {got}")
        if not modules:
            raise InvalidArgument("module: expected at least one with adapters of peft or diffusers, got none")
        self.velocity = velocity
        self.modules = modules

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity of the model as it was before it got adapters."""
        with contextlib.ExitStack() as stack:
            for module in self.modules:
                stack.enter_context(_without_adapters(module))
            return self.velocity(latents, sigmas, prompt_index)


@contextlib.contextmanager
def _without_adapters(module: Any) -> Iterator[None]:
    if hasattr(module, "disable_adapter"):
        with module.disable_adapter():
            yield
        return
    module.disable_adapters()
    try:
        yield
    finally:
        module.enable_adapters()
