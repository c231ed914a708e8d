"""FLUX.1 Fill."""

import torch

from ..latents import pack_latents
from . import flux
from .parts import Assembled, PipelineParts


def assemble(parts: PipelineParts) -> Assembled:
    """`FluxFillPipeline`, from pure noise (strength 1). The masked image is the likeliest latent of the VAE, where the
    pipeline draws one."""
    pipe = parts.pipe
    parts.sizes_in(2 * pipe.vae_scale_factor)
    image = parts.pictures("image", pipe.image_processor, parts.height, parts.width)
    mask = parts.pictures("mask_image", pipe.mask_processor, parts.height, parts.width)
    masked = pack_latents(parts.encoded(image * (1 - mask)))
    squares = pack_latents(torch.nn.functional.pixel_unshuffle(mask, pipe.vae_scale_factor)).to(masked)
    count = max(len(masked), len(squares))
    both = [rows.expand(count, -1, -1) for rows in (masked, squares)]
    return flux.assemble(parts, flux.FluxCondition(channels=torch.cat(both, dim=2)))
