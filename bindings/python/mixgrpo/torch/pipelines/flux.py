"""FLUX.1: dev, schnell, Krea."""

from typing import Any

import torch

from ..embeddings import TextEmbeddings
from ..guidance import GuidedVelocity
from ..latents import image_position_ids
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid, shift_of_tokens


class FluxVelocity(GuidedVelocity):
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
        super().__init__(module, prompts, true_cfg_scale, negative)
        self._image_ids = image_position_ids(height_tokens, width_tokens).to(self.prompts.text.device)
        self.latent_shape = (height_tokens * width_tokens, int(module.config.in_channels))
        self._guidance = guidance if module.config.guidance_embeds else None

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) without guidance by a negative prompt."""
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            pooled_projections=text.required_pooled(),
            timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
            img_ids=self._image_ids,
            txt_ids=self._image_ids.new_zeros(text.text.shape[1], 3),
            guidance=None if self._guidance is None else torch.full_like(sigmas, self._guidance),
            return_dict=False,
        )[0]
        return answer


def assemble(parts: PipelineParts) -> Assembled:
    """`FluxPipeline`."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    if not transformer.config.guidance_embeds:
        parts.refuse("guidance_scale", "this transformer takes no guidance value (FLUX.1-schnell)")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, pooled, _ = pipe.encode_prompt(prompt=line, prompt_2=line, max_sequence_length=length)
        return TextEmbeddings(text, pooled)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = FluxVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        guidance=parts.setting("guidance_scale"),
        **parts.guidance(parts.setting("true_cfg_scale"), embed, default=None),
    )
    mu = shift_of_tokens(parts.own("calculate_shift"), parts.part("scheduler"), grid[0] * grid[1])
    time_grid = SchedulerGrid(pipe.scheduler, mu=lambda _: mu)
    return Assembled(velocity, time_grid, VAEDecoder(parts.part("vae"), token_grid=grid))
