"""Policies from the pipelines of diffusers, one file for each family of models."""

import importlib
from typing import Any

import torch

from ...errors import InvalidArgumentError
from ..adapters import WithInitialWeights
from ..policy import TorchPolicy
from ..vae import VAEDecoder
from .parts import Lines, PipelineParts

_FAMILIES = {
    "FluxPipeline": "flux",
    "FluxControlPipeline": "flux_control",
    "FluxFillPipeline": "flux_fill",
    "FluxKontextPipeline": "flux_kontext",
    "StableDiffusion3Pipeline": "sd3",
    "QwenImagePipeline": "qwen_image",
    "ZImagePipeline": "z_image",
    "Flux2Pipeline": "flux2",
    "Flux2KleinPipeline": "flux2",
    "SanaPipeline": "sana",
    "ChromaPipeline": "chroma",
    "Lumina2Pipeline": "lumina2",
    "Lumina2Text2ImgPipeline": "lumina2",
    "WanPipeline": "wan",
}
"""The file that knows each class of pipelines."""


def from_pipeline(
    pipe: Any,
    prompts: Lines,
    *,
    height: int,
    width: int,
    guidance_scale: float | None = None,
    true_cfg_scale: float | None = None,
    negative_prompt: str | Lines | None = None,
    max_sequence_length: int | None = None,
    num_frames: int | None = None,
    guidance_scale_2: float | None = None,
    image: Any = None,
    mask_image: Any = None,
    control_image: Any = None,
    batch_size: int = 0,
    autocast: torch.dtype | None = None,
) -> tuple[TorchPolicy, VAEDecoder]:
    """A policy that draws what a pipeline of diffusers draws, and the decoder that makes pictures of its samples:

        pipe = diffusers.FluxPipeline.from_pretrained(folder, torch_dtype=torch.bfloat16).to("cuda")
        pipe.transformer.requires_grad_(False)
        pipe.transformer.add_adapter(lora)
        policy, decode = mixgrpo.torch.from_pipeline(pipe, prompts, height=512, width=512)

    Its deterministic samples with Euler steps are those of the pipeline: it has the pipeline's embeddings, guidance,
    packing and decoding, and as `policy.time_grid` the noise levels of the pipeline's scheduler, which `TorchTrainer`
    and `sample` use.

    `prompts`: texts, embedded once, each alone, by the pipeline's encoders, which may be freed afterwards; or
    embeddings, such as `policy.velocity.prompts` of an earlier policy.
    `height`, `width`: of the pictures in pixels, used exactly.
    `guidance_scale`, `guidance_scale_2`, `true_cfg_scale`, `negative_prompt`, `max_sequence_length`, `num_frames`: as the
    pipeline's own call takes them, with its defaults. `negative_prompt` is one text for all prompts, or a sequence with
    one for each, or embeddings. Guidance by a negative prompt doubles the calls of the transformer.
    `image`, `mask_image`, `control_image`: of FLUX Kontext, Fill and Control; one for all prompts, or a list with one
    for each.
    `batch_size`, `autocast`: of the policy.

    If the transformer has adapters to train, the policy's reference is the transformer with its adapters as they are now.

    Raises `InvalidArgumentError` naming what does not fit: a pipeline of an unknown class, one that lacks a part, a size
    that is no multiple of the patch, a setting that this pipeline does not take.
    """
    family = _family(pipe)
    settings = dict(
        guidance_scale=guidance_scale, true_cfg_scale=true_cfg_scale, negative_prompt=negative_prompt,
        max_sequence_length=max_sequence_length, num_frames=num_frames, guidance_scale_2=guidance_scale_2, image=image,
        mask_image=mask_image, control_image=control_image,
    )  # fmt: skip
    parts = PipelineParts(pipe, prompts, height, width, settings)
    made = family.assemble(parts)
    parts.refuse_others()
    velocity = made.velocity
    modules = list(velocity.module) if isinstance(velocity.module, torch.nn.ModuleList) else [velocity.module]
    adapted = [module for module in modules if getattr(module, "peft_config", None) and _is_trained(module)]
    reference = WithInitialWeights(velocity, *adapted) if adapted else None
    policy = TorchPolicy(
        velocity, velocity.latent_shape, reference=reference, autocast=autocast, batch_size=batch_size,
        time_grid=made.time_grid,
    )  # fmt: skip
    return policy, made.decode


def _is_trained(module: torch.nn.Module) -> bool:
    return any(weight.requires_grad for weight in module.parameters())


def _family(pipe: Any) -> Any:
    for kind in type(pipe).__mro__:
        if file := _FAMILIES.get(kind.__name__):
            return importlib.import_module(f".{file}", __name__)
    raise InvalidArgumentError(
        f"pipe: expected one of {', '.join(_FAMILIES)}, got {type(pipe).__name__}; for another model pass a function "
        "that returns its velocity to TorchPolicy"
    )
