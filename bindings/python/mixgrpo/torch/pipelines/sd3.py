"""Stable Diffusion 3 and 3.5."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import LatentImageVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid, shift_of_tokens


class SD3Velocity(LatentImageVelocity):
    """diffusers' `SD3Transformer2DModel` on latent images (C, H, W).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `height`, `width`: of the latent image, multiples of the model's patch size.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    """

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, C, H, W) without guidance."""
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            pooled_projections=text.required_pooled(),
            timestep=1000 * sigmas,
            return_dict=False,
        )[0]
        return answer


def assemble(parts: PipelineParts) -> Assembled:
    """`StableDiffusion3Pipeline`, without skip-layer guidance."""
    pipe, transformer, scheduler = parts.pipe, parts.part("transformer"), parts.part("scheduler")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _, pooled, _ = pipe.encode_prompt(
            line, line, line, do_classifier_free_guidance=False, max_sequence_length=length
        )
        return TextEmbeddings(text, pooled)

    patch = int(transformer.config.patch_size)
    rows, columns = parts.sizes_in(pipe.vae_scale_factor * patch)
    velocity = SD3Velocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height=rows * patch,
        width=columns * patch,
        **parts.guidance(parts.setting("guidance_scale"), embed),
    )
    mu = None
    if scheduler.config.get("use_dynamic_shifting", False):
        mu = shift_of_tokens(parts.own("calculate_shift"), scheduler, rows * columns, most=1.16)
    time_grid = SchedulerGrid(scheduler, mu=None if mu is None else lambda _: mu, evenly=False)
    return Assembled(velocity, time_grid, VAEDecoder(parts.part("vae")))
