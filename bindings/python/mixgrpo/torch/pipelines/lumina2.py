"""Lumina-Image 2.0."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import LatentImageVelocity, rescaled
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts


class Lumina2Velocity(LatentImageVelocity):
    """diffusers' `Lumina2Transformer2DModel` on latent images (C, H, W). The model counts time from noise to image and
    predicts the velocity in that direction; this velocity is dx/dsigma, as everywhere.

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask. `height`, `width`: of the latent image, multiples of the model's patch size.
    `true_cfg_scale`: guidance by a second call, away from `negative`, after which each row of the latent image has the
    norm that it has without guidance; 1 (default) for none.
    """

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, C, H, W) without guidance."""
        toward_image: torch.Tensor = self.module(
            hidden_states=latents,
            timestep=1 - 1000 * sigmas / 1000,
            encoder_hidden_states=text.text,
            encoder_attention_mask=text.counting(),
            return_dict=False,
        )[0]
        return -toward_image

    def guided(self, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """Guidance that keeps the norm of each row of the latent image."""
        return rescaled(super().guided(positive, negative), positive)


def assemble(parts: PipelineParts) -> Assembled:
    """`Lumina2Pipeline`, without truncated guidance."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, mask, _, _ = pipe.encode_prompt(line, do_classifier_free_guidance=False, max_sequence_length=length)
        return TextEmbeddings(text, mask=mask)

    def embed_negative(line: str) -> TextEmbeddings:
        _, _, text, mask = pipe.encode_prompt("", negative_prompt=[line], max_sequence_length=length)
        return TextEmbeddings(text, mask=mask)

    rows, columns = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = Lumina2Velocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height=2 * rows,
        width=2 * columns,
        **parts.guidance(parts.setting("guidance_scale"), embed_negative),
    )
    # The pipeline takes the channels of its latents for their tokens.
    return Assembled(velocity, parts.shifted_grid(velocity.latent_shape[0]), VAEDecoder(parts.part("vae")))
