"""Sana."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import LatentImageVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid


class SanaVelocity(LatentImageVelocity):
    """diffusers' `SanaTransformer2DModel` on latent images (C, H, W). Of a model that also predicts a variance only the
    velocity is used.

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask. `height`, `width`: of the latent image, multiples of the model's patch size.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    """

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, C, H, W) without guidance."""
        answer: torch.Tensor = self.module(
            latents,
            encoder_hidden_states=text.text,
            encoder_attention_mask=text.counting(),
            timestep=1000 * float(self.module.config.timestep_scale) * sigmas,
            return_dict=False,
        )[0]
        return answer[:, : latents.shape[1]]


def assemble(parts: PipelineParts) -> Assembled:
    """`SanaPipeline`, with the sizes as given in place of the nearest ones that the model was trained for."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    arguments = dict(
        max_sequence_length=parts.setting("max_sequence_length"),
        complex_human_instruction=parts.setting("complex_human_instruction"),
    )

    def embed(line: str) -> TextEmbeddings:
        text, mask, _, _ = pipe.encode_prompt(line, do_classifier_free_guidance=False, **arguments)
        return TextEmbeddings(text, mask=mask)

    def embed_negative(line: str) -> TextEmbeddings:
        _, _, text, mask = pipe.encode_prompt("", negative_prompt=line, **arguments)
        return TextEmbeddings(text, mask=mask)

    patch = int(transformer.config.patch_size)
    rows, columns = parts.sizes_in(pipe.vae_scale_factor * patch)
    velocity = SanaVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height=rows * patch,
        width=columns * patch,
        **parts.guidance(parts.setting("guidance_scale"), embed_negative),
    )
    time_grid = SchedulerGrid(parts.part("scheduler"), evenly=False)
    return Assembled(velocity, time_grid, VAEDecoder(parts.part("vae")))
