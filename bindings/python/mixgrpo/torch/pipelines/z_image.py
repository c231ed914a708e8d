"""Z-Image and Z-Image-Turbo."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import LatentImageVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts


class ZImageVelocity(LatentImageVelocity):
    """diffusers' `ZImageTransformer2DModel` on latent images (C, H, W). The model counts time from noise to image and
    predicts the velocity in that direction; this velocity is dx/dsigma, as everywhere.

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask. `height`, `width`: of the latent image, multiples of the patch size 2.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none. It is 1 more than the
    `guidance_scale` of the pipeline, which counts from the prompt's velocity.
    """

    def patch_size(self) -> int:
        """Side of a token in latent pixels."""
        return 2

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, C, H, W) without guidance."""
        captions = [row[mask] for row, mask in zip(text.text, text.counting(), strict=True)]
        images = list(latents.unsqueeze(2).unbind(0))  # of one frame each
        toward_image = self.module(images, (1000 - 1000 * sigmas) / 1000, captions, return_dict=False)[0]
        return -torch.stack(list(toward_image)).squeeze(2)


def assemble(parts: PipelineParts) -> Assembled:
    """`ZImagePipeline`, without truncated or normalised guidance."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        captions, _ = pipe.encode_prompt(prompt=line, do_classifier_free_guidance=False, max_sequence_length=length)
        return TextEmbeddings(torch.stack(list(captions)))

    rows, columns = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = ZImageVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height=2 * rows,
        width=2 * columns,
        **parts.guidance(1 + parts.setting("guidance_scale"), embed),
    )
    return Assembled(velocity, parts.shifted_grid(rows * columns), VAEDecoder(parts.part("vae")))
