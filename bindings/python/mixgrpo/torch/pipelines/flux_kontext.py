"""FLUX.1 Kontext."""

from ..latents import image_position_ids, pack_latents
from . import flux
from .parts import Assembled, PipelineParts


def assemble(parts: PipelineParts) -> Assembled:
    """`FluxKontextPipeline`. The reference image gets the nearest of the sizes that the model was trained with."""
    pipe = parts.pipe
    height, width = _reference_size(parts)
    latents = parts.encoded(parts.pictures("image", pipe.image_processor, height, width))
    places = image_position_ids(latents.shape[2] // 2, latents.shape[3] // 2)
    places[:, 0] = 1  # where the latents have 0
    return flux.assemble(parts, flux.FluxCondition(tokens=pack_latents(latents), token_ids=places))


def _reference_size(parts: PipelineParts) -> tuple[int, int]:
    image = parts.setting("image")
    height, width = parts.pipe.image_processor.get_default_height_width(image[0] if isinstance(image, list) else image)
    if parts.setting("_auto_resize"):
        shape = width / height
        sizes = parts.own("PREFERRED_KONTEXT_RESOLUTIONS")
        _, width, height = min((abs(shape - across / down), across, down) for across, down in sizes)
    unit = 2 * parts.pipe.vae_scale_factor
    return height // unit * unit, width // unit * unit
