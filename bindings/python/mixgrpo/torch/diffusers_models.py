"""The transformers of diffusers as velocities that a `TorchPolicy` understands."""

from typing import Any

import torch

from ..errors import InvalidArgumentError
from .guidance import GuidedVelocity, TextEmbeddings


class FluxVelocity:
    """diffusers' `FluxTransformer2DModel` on latents packed as tokens (`pack_latents`):

        velocity = FluxVelocity(transformer, TextEmbeddings(text, pooled), height_tokens=64, width_tokens=64)
        policy = TorchPolicy(velocity, velocity.latent_shape)

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `guidance`: the guidance value for a guidance-distilled model, by default 3.5; ignored by other models.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    """

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        height_tokens: int,
        width_tokens: int,
        guidance: float = 3.5,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
    ) -> None:
        if min(height_tokens, width_tokens) < 1:
            got = f"{height_tokens}, {width_tokens}"
            raise InvalidArgumentError(f"height_tokens, width_tokens: expected 1 or more, got {got}")
        self.module = module
        self.latent_shape = (height_tokens * width_tokens, int(module.config.in_channels))
        self._guided = GuidedVelocity(module, prompts, negative, true_cfg_scale)
        self._guidance = guidance if module.config.guidance_embeds else None
        self._image_ids = image_position_ids(height_tokens, width_tokens).to(next(module.parameters()).device)

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity (B, N, C) of latents (B, N, C) at sigmas (B)."""

        def call(text: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.module(
                hidden_states=latents,
                encoder_hidden_states=text,
                pooled_projections=pooled,
                timestep=sigmas,  # the model itself multiplies by 1000
                img_ids=self._image_ids,
                txt_ids=self._image_ids.new_zeros(text.shape[1], 3),
                guidance=None if self._guidance is None else torch.full_like(sigmas, self._guidance),
                return_dict=False,
            )[0]
            return answer

        return self._guided(call, prompt_index)


class SD3Velocity:
    """diffusers' `SD3Transformer2DModel` on latent images (C, H, W).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `height`, `width`: of the latent image, multiples of the model's patch size.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
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
        patch = int(module.config.patch_size)
        if min(height, width) < 1 or height % patch or width % patch:
            raise InvalidArgumentError(f"height, width: expected multiples of {patch}, got {height}, {width}")
        self.module = module
        self.latent_shape = (int(module.config.in_channels), height, width)
        self._guided = GuidedVelocity(module, prompts, negative, true_cfg_scale)

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity (B, C, H, W) of latents (B, C, H, W) at sigmas (B)."""

        def call(text: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.module(
                hidden_states=latents,
                encoder_hidden_states=text,
                pooled_projections=pooled,
                timestep=1000 * sigmas,
                return_dict=False,
            )[0]
            return answer

        return self._guided(call, prompt_index)


def image_position_ids(height_tokens: int, width_tokens: int) -> torch.Tensor:
    """Positions of image tokens for FLUX, (N, 3): 0, row, column."""
    rows, columns = torch.meshgrid(torch.arange(height_tokens), torch.arange(width_tokens), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3).float()
