"""Wan 2.1 and 2.2: videos from text."""

from typing import Any

import torch

from ...errors import InvalidArgument
from ..embeddings import TextEmbeddings
from ..guidance import GuidedVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts
from .time_grid import SchedulerGrid


class WanVelocity(GuidedVelocity):
    """diffusers' `WanTransformer3DModel` on latent videos (C, F, H, W).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `frames`, `height`, `width`: of the latent video, multiples of the model's patch size.
    `time_per_token`: whether the model takes a time for each token (Wan 2.2-5B).
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    """

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        frames: int,
        height: int,
        width: int,
        time_per_token: bool = False,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
    ) -> None:
        super().__init__(module, prompts, true_cfg_scale, negative)
        sizes, patch = (frames, height, width), tuple(module.config.patch_size)
        if min(sizes) < 1 or any(size % unit for size, unit in zip(sizes, patch, strict=True)):
            raise InvalidArgument(f"frames, height, width: expected multiples of {patch}, got {sizes}")
        self.latent_shape = (int(module.config.in_channels), *sizes)
        self._tokens = frames * height * width // (patch[0] * patch[1] * patch[2]) if time_per_token else None

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, C, F, H, W) without guidance."""
        times = 1000 * sigmas
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            timestep=times if self._tokens is None else times[:, None].expand(-1, self._tokens),
            encoder_hidden_states=text.text,
            return_dict=False,
        )[0]
        return answer


def assemble(parts: PipelineParts) -> Assembled:
    """`WanPipeline` with one transformer."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    if getattr(pipe, "transformer_2", None) is not None:
        raise InvalidArgument(
            "pipe: expected a WanPipeline with one transformer, got one with two (Wan 2.2-A14B); write a velocity that "
            "chooses between two WanVelocity by sigma"
        )
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _ = pipe.encode_prompt(line, do_classifier_free_guidance=False, max_sequence_length=length)
        return TextEmbeddings(text)

    patch = transformer.config.patch_size
    rows, columns = parts.sizes_in(pipe.vae_scale_factor_spatial * patch[1])
    velocity = WanVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        frames=_latent_frames(parts),
        height=rows * patch[1],
        width=columns * patch[2],
        time_per_token=bool(pipe.config.expand_timesteps),
        **parts.guidance(parts.setting("guidance_scale"), embed),
    )
    return Assembled(velocity, SchedulerGrid(parts.part("scheduler"), evenly=False), VAEDecoder(parts.part("vae")))


def _latent_frames(parts: PipelineParts) -> int:
    frames, unit = parts.setting("num_frames"), parts.pipe.vae_scale_factor_temporal
    if frames < 1 or (frames - 1) % unit:
        raise InvalidArgument(f"num_frames: expected 1 more than a multiple of {unit}, got {frames}")
    return int((frames - 1) // unit + 1)
