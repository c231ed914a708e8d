"""Wan 2.1 and 2.2: videos from text."""

from typing import Any

import torch

from ...errors import InvalidArgumentError
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
            raise InvalidArgumentError(f"frames, height, width: expected multiples of {patch}, got {sizes}")
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


class WanExpertsVelocity:
    """Two experts (Wan 2.2-A14B): one for noise levels from `boundary` upwards, one for those below. A request may hold
    both kinds.

    `module`: the list of both transformers.
    """

    def __init__(self, high: WanVelocity, low: WanVelocity, boundary: float) -> None:
        if high.latent_shape != low.latent_shape:
            shapes = f"{high.latent_shape} and {low.latent_shape}"
            raise InvalidArgumentError(f"latent_shape: expected the same of both experts, got {shapes}")
        self.high = high
        self.low = low
        self.boundary = boundary
        self.latent_shape = high.latent_shape
        self.module = torch.nn.ModuleList([high.module, low.module])
        self.module.training = False  # the list itself; the experts keep their modes

    @property
    def prompts(self) -> TextEmbeddings:
        """Those of both experts."""
        return self.high.prompts

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity (B, C, F, H, W) of latents (B, C, F, H, W) at sigmas (B)."""
        is_high = 1000 * sigmas >= 1000 * self.boundary
        if bool(is_high.all()):
            return self.high(latents, sigmas, prompt_index)
        if not bool(is_high.any()):
            return self.low(latents, sigmas, prompt_index)
        places = [is_high.nonzero().flatten(), is_high.logical_not().nonzero().flatten()]
        parts = [
            expert(latents[rows], sigmas[rows], prompt_index[rows])
            for expert, rows in zip((self.high, self.low), places, strict=True)
        ]
        return torch.cat(parts)[torch.cat(places).argsort()]


def assemble(parts: PipelineParts) -> Assembled:
    """`WanPipeline`, with one transformer or two."""
    pipe, length = parts.pipe, parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _ = pipe.encode_prompt(line, do_classifier_free_guidance=False, max_sequence_length=length)
        return TextEmbeddings(text)

    scale = parts.setting("guidance_scale")
    guidance, prompts = parts.guidance(scale, embed), parts.embedded(parts.prompts, embed)
    high = _velocity(parts, parts.part("transformer"), prompts, guidance)
    velocity: WanVelocity | WanExpertsVelocity = high
    if pipe.config.boundary_ratio is None:
        parts.refuse("guidance_scale_2", "this pipeline has one transformer")
    else:
        if guidance["negative"] is not None:
            second = parts.setting("guidance_scale_2")
            guidance["true_cfg_scale"] = scale if second is None else second
        low = _velocity(parts, parts.part("transformer_2"), prompts, guidance)
        velocity = WanExpertsVelocity(high, low, float(pipe.config.boundary_ratio))
    return Assembled(velocity, SchedulerGrid(parts.part("scheduler"), evenly=False), VAEDecoder(parts.part("vae")))


def _velocity(parts: PipelineParts, transformer: Any, prompts: TextEmbeddings, guidance: dict[str, Any]) -> WanVelocity:
    patch = transformer.config.patch_size
    rows, columns = parts.sizes_in(parts.pipe.vae_scale_factor_spatial * patch[1])
    return WanVelocity(
        transformer, prompts, frames=_latent_frames(parts), height=rows * patch[1], width=columns * patch[2],
        time_per_token=bool(parts.pipe.config.expand_timesteps), **guidance,
    )  # fmt: skip


def _latent_frames(parts: PipelineParts) -> int:
    frames, unit = parts.setting("num_frames"), parts.pipe.vae_scale_factor_temporal
    if frames < 1 or (frames - 1) % unit:
        raise InvalidArgumentError(f"num_frames: expected 1 more than a multiple of {unit}, got {frames}")
    return int((frames - 1) // unit + 1)
