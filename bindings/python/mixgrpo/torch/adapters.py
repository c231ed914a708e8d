"""LoRA and other adapters: the model without them as the frozen reference."""

from typing import Any

import torch

from ..errors import InvalidArgumentError
from .policy import Velocity


class WithoutAdapters:
    """The same velocity with the module's adapters switched off: the reference of a LoRA run, at no memory.

        policy = TorchPolicy(velocity, shape, reference=WithoutAdapters(velocity, transformer))

    `module`: a module that peft wraps, or one of diffusers after `add_adapter`.
    """

    def __init__(self, velocity: Velocity, module: Any) -> None:
        if not (hasattr(module, "disable_adapter") or hasattr(module, "disable_adapters")):
            got = type(module).__name__
            raise InvalidArgumentError(f"module: expected one with adapters of peft or diffusers, got {got}")
        self.velocity = velocity
        self.module = module

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity of the model as it was before it got adapters."""
        if hasattr(self.module, "disable_adapter"):
            with self.module.disable_adapter():
                return self.velocity(latents, sigmas, prompt_index)
        self.module.disable_adapters()
        try:
            return self.velocity(latents, sigmas, prompt_index)
        finally:
            self.module.enable_adapters()
