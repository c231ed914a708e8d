"""FLUX.1 Control: Canny and Depth."""

from ..latents import pack_latents
from . import flux
from .parts import Assembled, PipelineParts


def assemble(parts: PipelineParts) -> Assembled:
    """`FluxControlPipeline`. The control image is the likeliest latent of the VAE, where the pipeline draws one."""
    parts.sizes_in(2 * parts.pipe.vae_scale_factor)
    control = parts.pictures("control_image", parts.pipe.image_processor, parts.height, parts.width)
    return flux.assemble(parts, flux.FluxCondition(channels=pack_latents(parts.encoded(control))))
