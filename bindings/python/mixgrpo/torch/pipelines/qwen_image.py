"""Qwen-Image."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import TokenVelocity, rescaled
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts


class QwenImageVelocity(TokenVelocity):
    """diffusers' `QwenImageTransformer2DModel` on latents packed as tokens (`pack_latents`).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask; all have one length, so that a prompt's velocity does not depend on the prompts beside it.
    `guidance`: the guidance value for a guidance-distilled model; ignored by other models.
    `true_cfg_scale`: guidance by a second call, away from `negative`, after which each token has the norm that it has
    without guidance; 1 (default) for none.
    """

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) without guidance by a negative prompt."""
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            encoder_hidden_states_mask=text.mask,
            timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
            img_shapes=[[(1, *self.grid)]] * len(latents),
            guidance=self.guidance_of(sigmas),
            return_dict=False,
        )[0]
        return answer

    def guided(self, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """Guidance that keeps the norm of each token."""
        return rescaled(super().guided(positive, negative), positive)


def assemble(parts: PipelineParts) -> Assembled:
    """`QwenImagePipeline`."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    if not transformer.config.guidance_embeds:
        parts.refuse("guidance_scale", "this transformer takes no guidance value; true_cfg_scale guides it")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, mask = pipe.encode_prompt(prompt=line, max_sequence_length=length)
        return TextEmbeddings(text, mask=mask)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = QwenImageVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        guidance=parts.setting("guidance_scale"),
        **parts.guidance(parts.setting("true_cfg_scale"), embed, default=None),
    )
    return Assembled(velocity, parts.shifted_grid(grid[0] * grid[1]), VAEDecoder(parts.part("vae"), token_grid=grid))
