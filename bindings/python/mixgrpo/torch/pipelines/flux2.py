"""FLUX.2: dev, and klein, distilled and base."""

import torch

from ..embeddings import TextEmbeddings
from ..guidance import TokenVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid


class Flux2Velocity(TokenVelocity):
    """diffusers' `Flux2Transformer2DModel` on latents packed as tokens (`pack_latents`), normalised by the statistics of
    the VAE's batch norm.

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `guidance`: the guidance value for a guidance-distilled model (dev), by default 4; ignored by other models.
    `true_cfg_scale`: guidance by a second call, away from `negative` (klein base); 1 (default) for none.
    """

    usual_guidance = 4.0

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) without guidance by a negative prompt."""
        count, length = text.text.shape[:2]
        image_ids = torch.nn.functional.pad(self.image_ids.long(), (0, 1))  # frame, row, column and place in a text
        text_ids = image_ids.new_zeros(length, 4)
        text_ids[:, 3] = torch.arange(length, device=text_ids.device)
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
            img_ids=image_ids.expand(count, -1, -1),
            txt_ids=text_ids.expand(count, -1, -1),
            guidance=self.guidance_of(sigmas),
            return_dict=False,
        )[0]
        return answer


def assemble(parts: PipelineParts) -> Assembled:
    """`Flux2Pipeline` (dev) and `Flux2KleinPipeline`, without reference images."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    if getattr(pipe.config, "is_distilled", False):
        parts.refuse("guidance_scale", "this pipeline is distilled for few steps without guidance (FLUX.2 klein)")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _ = pipe.encode_prompt(prompt=line, max_sequence_length=length)
        return TextEmbeddings(text)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    scale = parts.setting("guidance_scale")
    by_second_call = "is_distilled" in pipe.config and not pipe.config.is_distilled
    velocity = Flux2Velocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        guidance=scale,
        **(parts.guidance(scale, embed) if by_second_call else {}),
    )
    compute_mu, tokens = parts.own("compute_empirical_mu"), grid[0] * grid[1]
    time_grid = SchedulerGrid(parts.part("scheduler"), mu=lambda steps: compute_mu(tokens, steps))
    return Assembled(velocity, time_grid, VAEDecoder(parts.part("vae"), token_grid=grid))
