"""Text embeddings of the prompts that a diffusers transformer is asked about, and guidance between two of them."""

from collections.abc import Callable

import torch

from ..errors import InvalidArgumentError


class TextEmbeddings:
    """Embeddings of P prompts.

    `text`: (P, L, J); `pooled`: (P, K), from whatever encoders the model was trained with. As negative prompts of a
    model they are P for its P prompts, or one for all.
    """

    def __init__(self, text: torch.Tensor, pooled: torch.Tensor) -> None:
        if text.ndim != 3 or pooled.ndim != 2 or len(text) != len(pooled) or len(text) == 0:
            shapes = f"{tuple(text.shape)} and {tuple(pooled.shape)}"
            raise InvalidArgumentError(f"embeddings: expected text (P, L, J) and pooled (P, K), got {shapes}")
        self.text = text.detach()
        self.pooled = pooled.detach()

    def __len__(self) -> int:
        """P."""
        return len(self.text)

    def like(self, module: torch.nn.Module) -> "TextEmbeddings":
        """The same on a module's device and in its type."""
        example = next(module.parameters())
        return TextEmbeddings(self.text.to(example), self.pooled.to(example))

    def of(self, prompt_index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows of these prompts, (B, L, J) and (B, K)."""
        if len(self) == 1:
            prompt_index = torch.zeros_like(prompt_index)
        return self.text[prompt_index], self.pooled[prompt_index]


class GuidedVelocity:
    """A transformer's velocity for prompts, guided away from negative ones (arXiv 2207.12598):
    v = v_negative + scale * (v_positive - v_negative). With scale 1 the transformer is called once, else twice.
    """

    def __init__(
        self, module: torch.nn.Module, prompts: TextEmbeddings, negative: TextEmbeddings | None, scale: float
    ) -> None:
        if scale != 1 and negative is None:
            raise InvalidArgumentError(f"negative: expected embeddings, as the scale of guidance is {scale}, got none")
        if negative is not None and len(negative) not in (1, len(prompts)):
            raise InvalidArgumentError(f"negative: expected 1 or {len(prompts)} prompts, got {len(negative)}")
        self.prompts = prompts.like(module)
        self.negative = negative.like(module) if negative is not None and scale != 1 else None
        self.scale = scale

    def __call__(
        self, call: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], prompt_index: torch.Tensor
    ) -> torch.Tensor:
        """`call`: the transformer's velocity for text (B, L, J) and pooled text (B, K)."""
        positive = call(*self.prompts.of(prompt_index))
        if self.negative is None:
            return positive
        negative = call(*self.negative.of(prompt_index))
        return negative + self.scale * (positive - negative)
