"""What the velocities of all transformers share: prompts, and guidance away from negative ones."""

from abc import ABC, abstractmethod
from typing import Any

import torch

from ..errors import InvalidArgumentError
from .embeddings import TextEmbeddings, check_widths
from .latents import check_latent_image, image_position_ids
from .tensors import first_parameter


class GuidedVelocity(ABC):
    """A transformer's velocity for prompts, guided away from negative ones (arXiv 2207.12598):
    v = v_negative + scale * (v_positive - v_negative). With scale 1 the transformer is called once, else twice.

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 for none.
    """

    latent_shape: tuple[int, ...]
    """Of one latent as the transformer takes it."""

    def __init__(
        self, module: Any, prompts: TextEmbeddings, true_cfg_scale: float, negative: TextEmbeddings | None
    ) -> None:
        if true_cfg_scale != 1 and negative is None:
            raise InvalidArgumentError(
                f"negative: expected embeddings, as the scale of guidance is {true_cfg_scale}, got none"
            )
        if negative is not None and len(negative) not in (1, len(prompts)):
            raise InvalidArgumentError(f"negative: expected 1 or {len(prompts)} prompts, got {len(negative)}")
        settings = getattr(module, "config", None)
        check_widths(prompts, settings, "prompts")
        if negative is not None:
            check_widths(negative, settings, "negative")
        example = first_parameter(module)
        self.module = module
        self.device = example.device
        self.prompts = prompts.near(example)
        self.negative = negative.near(example) if negative is not None and true_cfg_scale != 1 else None
        self.true_cfg_scale = true_cfg_scale

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity (B, *latent_shape) of latents (B, *latent_shape) at sigmas (B)."""
        positive = self.predict(latents, sigmas, self.prompts.of(prompt_index))
        if self.negative is None:
            return positive
        return self.guided(positive, self.predict(latents, sigmas, self.negative.of(prompt_index)))

    @abstractmethod
    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity for the text of each latent, without guidance."""

    def guided(self, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """The velocity from those for prompts and for negative prompts."""
        return negative + self.true_cfg_scale * (positive - negative)


class TokenVelocity(GuidedVelocity):
    """The same for a transformer that takes latents packed as tokens (`pack_latents`), (N, C).

    `guidance`: the guidance value for a guidance-distilled model; ignored by other models.
    """

    usual_guidance: float | None = None
    """The guidance value when none is given."""
    knows_guidance = True
    """Whether transformers of this kind have the setting `guidance_embeds`."""

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        height_tokens: int,
        width_tokens: int,
        guidance: float | None = None,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
    ) -> None:
        super().__init__(module, prompts, true_cfg_scale, negative)
        self.grid = (height_tokens, width_tokens)
        self.image_ids = image_position_ids(height_tokens, width_tokens).to(self.device)  # (N, 3): 0, row, column
        self.latent_shape = (len(self.image_ids), int(module.config.in_channels))
        if guidance is not None and not self.knows_guidance:
            raise InvalidArgumentError(
                f"guidance: expected None, as this transformer takes no such value, got {guidance}"
            )
        takes_guidance = self.knows_guidance and module.config.guidance_embeds
        self._guidance = (self.usual_guidance if guidance is None else guidance) if takes_guidance else None

    def guidance_of(self, sigmas: torch.Tensor) -> torch.Tensor | None:
        """The guidance value of each latent."""
        return None if self._guidance is None else torch.full_like(sigmas, self._guidance)


class LatentImageVelocity(GuidedVelocity):
    """The same for a transformer that takes latent images (C, H, W) whole.

    `height`, `width`: of the latent image. Raises `InvalidArgumentError` unless both are multiples of the model's patch
    size.
    """

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        height: int,
        width: int,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
    ) -> None:
        super().__init__(module, prompts, true_cfg_scale, negative)
        check_latent_image(height, width, self.patch_size())
        self.latent_shape = (int(module.config.in_channels), height, width)

    def patch_size(self) -> int:
        """Side of a token in latent pixels."""
        return int(self.module.config.patch_size)


def rescaled(guided: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """A guided velocity with the norm that the unguided one has, row by row of the last dimension."""
    before: torch.Tensor = torch.linalg.vector_norm(positive, dim=-1, keepdim=True)
    after: torch.Tensor = torch.linalg.vector_norm(guided, dim=-1, keepdim=True)
    return guided * (before / after)
