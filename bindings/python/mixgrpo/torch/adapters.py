"""LoRA and other adapters: the frozen reference of a run that trains them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import InvalidArgumentError, InvalidStateError
from .policy import Velocity


class WithoutAdapters:
    """The same velocity with the adapters of its modules switched off: the reference of a LoRA run, at no memory.

        policy = TorchPolicy(velocity, shape, reference=WithoutAdapters(velocity, transformer))

    `modules`: each wrapped by peft, or one of diffusers after `add_adapter`. Raises `InvalidArgumentError` for one without
    adapters, or with weights to train that stay when adapters are off (`bias="all"` or `"lora_only"`,
    `modules_to_save`, weights of the base): the reference would move with them. `WithInitialWeights` is right there.
    """

    def __init__(self, velocity: Velocity, *modules: Any) -> None:
        for module in modules:
            if not (hasattr(module, "disable_adapter") or hasattr(module, "disable_adapters")):
                got = type(module).__name__
                raise InvalidArgumentError(f"module: expected one with adapters of peft or diffusers, got {got}")
        if not modules:
            raise InvalidArgumentError("module: expected at least one with adapters of peft or diffusers, got none")
        for module in modules:
            _require_adapters_alone(module)
        self.velocity = velocity
        self.modules = modules

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity of the model as it was before it got adapters."""
        with contextlib.ExitStack() as stack:
            for module in self.modules:
                stack.enter_context(_without_adapters(module))
            return self.velocity(latents, sigmas, prompt_index)


class WithInitialWeights:
    """The same velocity with the weights that are trained as they are now: the reference of any run, also of one that
    goes on with an adapter that was trained before. The KL to it begins at 0.

        policy = TorchPolicy(velocity, shape, reference=WithInitialWeights(velocity, transformer))

    It keeps a copy of the weights that require gradients, which for LoRA are few. Raises `InvalidArgumentError` when there
    are none: add the adapters first.
    """

    def __init__(self, velocity: Velocity, *modules: torch.nn.Module) -> None:
        self.velocity = velocity
        self._weights = [
            _Initial(module, name, weight.detach().clone())
            for module in modules
            for name, weight in module.named_parameters()
            if weight.requires_grad
        ]
        if not self._weights:
            raise InvalidArgumentError(
                "module: expected weights that require gradients, got none; add the adapters first"
            )

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity of the model as it was, without gradient. Raises `InvalidStateError` when a weight is gone."""
        weights = [initial.weight() for initial in self._weights]
        trained = [weight.data for weight in weights]
        try:
            for initial, weight in zip(self._weights, weights, strict=True):
                weight.data = initial.values_for(weight)
            with torch.no_grad():
                return self.velocity(latents, sigmas, prompt_index)
        finally:
            for weight, values in zip(weights, trained, strict=True):
                weight.data = values


class _Initial:
    """The initial values of one weight, found again by its name, because `Module.to` may put another object there."""

    def __init__(self, module: torch.nn.Module, name: str, values: torch.Tensor) -> None:
        self._module = module
        self._name = name
        self._values = values

    def weight(self) -> torch.nn.Parameter:
        """The weight that has the name now."""
        try:
            return self._module.get_parameter(self._name)
        except AttributeError:
            raise InvalidStateError(
                f"reference: expected a module with {self._name}, as when WithInitialWeights was made, got one without; "
                "make the reference again after adapters were added or removed"
            ) from None

    def values_for(self, weight: torch.Tensor) -> torch.Tensor:
        """The values on the weight's device, where they stay, and in its type."""
        self._values = self._values.to(weight.device)
        return self._values.to(weight.dtype)


@contextlib.contextmanager
def _without_adapters(module: Any) -> Iterator[None]:
    """Meanwhile the adapters are off. Switching them on again unfreezes all that are active, so what is frozen now is
    frozen again."""
    frozen = [weight for weight in module.parameters() if not weight.requires_grad and weight.is_floating_point()]
    try:
        with _switched_off(module):
            yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)


@contextlib.contextmanager
def _switched_off(module: Any) -> Iterator[None]:
    if hasattr(module, "disable_adapter"):
        with module.disable_adapter():
            yield
        return
    module.disable_adapters()
    try:
        yield
    finally:
        module.enable_adapters()


def _require_adapters_alone(module: Any) -> None:
    """Raises `InvalidArgumentError` when a weight to train is no adapter's."""
    switched_off: set[int] = set()
    for part in module.modules():
        names = tuple(getattr(part, "adapter_layer_names", ()))
        if hasattr(part, "modules_to_save"):  # which peft exchanges, and diffusers does not
            names = ("modules_to_save",) if hasattr(module, "disable_adapter") else ()
        switched_off |= {id(weight) for name, weight in part.named_parameters() if name.partition(".")[0] in names}
    for name, weight in module.named_parameters():
        if weight.requires_grad and id(weight) not in switched_off:
            raise InvalidArgumentError(
                f"module: expected only weights of adapters to require gradients, got {name}, which the reference "
                "without adapters would share; freeze it, or use WithInitialWeights as the reference"
            )
