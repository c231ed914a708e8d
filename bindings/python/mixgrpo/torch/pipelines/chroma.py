"""Chroma."""

from typing import Any

import torch

from ..embeddings import TextEmbeddings
from ..guidance import GuidedVelocity
from ..latents import image_position_ids
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid, shift_of_tokens


class ChromaVelocity(GuidedVelocity):
    """diffusers' `ChromaTransformer2DModel` on latents packed as tokens (`pack_latents`).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask, in which one token after the text counts.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    """

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        height_tokens: int,
        width_tokens: int,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
    ) -> None:
        super().__init__(module, prompts, true_cfg_scale, negative)
        self._image_ids = image_position_ids(height_tokens, width_tokens).to(self.device)
        self.latent_shape = (height_tokens * width_tokens, int(module.config.in_channels))

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) without guidance."""
        mask = text.counting().to(text.text.dtype)
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
            img_ids=self._image_ids,
            txt_ids=self._image_ids.new_zeros(text.text.shape[1], 3),
            attention_mask=torch.cat([mask, mask.new_ones(latents.shape[:2])], dim=1),
            return_dict=False,
        )[0]
        return answer


def assemble(parts: PipelineParts) -> Assembled:
    """`ChromaPipeline`."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _, mask, *_ = pipe.encode_prompt(
            prompt=line, do_classifier_free_guidance=False, max_sequence_length=length
        )
        return TextEmbeddings(text, mask=mask)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = ChromaVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        **parts.guidance(parts.setting("guidance_scale"), embed),
    )
    mu = shift_of_tokens(parts.own("calculate_shift"), parts.part("scheduler"), grid[0] * grid[1])
    time_grid = SchedulerGrid(pipe.scheduler, mu=lambda _: mu)
    return Assembled(velocity, time_grid, VAEDecoder(parts.part("vae"), token_grid=grid))
