"""FLUX.1: dev, schnell, Krea."""

from dataclasses import dataclass
from typing import Any

import torch

from ...errors import InvalidArgumentError
from ..embeddings import TextEmbeddings
from ..guidance import TokenVelocity
from ..tensors import first_parameter
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts


@dataclass(frozen=True)
class FluxCondition:
    """What a conditioned FLUX sees beside the latents, for each of P prompts or one for all."""

    channels: torch.Tensor | None = None
    """(P, N, K), joined to the channels of the latents' tokens: a control image (Control), or a masked image and its
    mask (Fill)."""
    tokens: torch.Tensor | None = None
    """(P, M, C), joined to the tokens: a reference image (Kontext)."""
    token_ids: torch.Tensor | None = None
    """(M, 3), the positions of `tokens`."""

    @property
    def channel_count(self) -> int:
        """K."""
        return 0 if self.channels is None else self.channels.shape[2]

    def like(self, example: torch.Tensor) -> "FluxCondition":
        """The same on a tensor's device and in its type."""
        parts = (self.channels, self.tokens, self.token_ids)
        return FluxCondition(*(None if part is None else part.detach().to(example) for part in parts))

    def joined(self, latents: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """Latents (B, N, C - K) and what is seen beside them, (B, N + M, C)."""
        if self.channels is not None:
            latents = torch.cat([latents, _rows(self.channels, prompt_index)], dim=2)
        if self.tokens is not None:
            latents = torch.cat([latents, _rows(self.tokens, prompt_index)], dim=1)
        return latents


def _rows(values: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
    return values[prompt_index if len(values) > 1 else torch.zeros_like(prompt_index)]


class FluxVelocity(TokenVelocity):
    """diffusers' `FluxTransformer2DModel` on latents packed as tokens (`pack_latents`):

        velocity = FluxVelocity(transformer, TextEmbeddings(text, pooled), height_tokens=64, width_tokens=64)
        policy = TorchPolicy(velocity, velocity.latent_shape)

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index.
    `guidance`: the guidance value for a guidance-distilled model, by default 3.5; ignored by other models.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none.
    `condition`: for Fill, Control and Kontext.
    """

    usual_guidance = 3.5

    def __init__(
        self,
        module: Any,
        prompts: TextEmbeddings,
        *,
        height_tokens: int,
        width_tokens: int,
        guidance: float | None = None,
        true_cfg_scale: float = 1.0,
        negative: TextEmbeddings | None = None,
        condition: FluxCondition | None = None,
    ) -> None:
        super().__init__(
            module,
            prompts,
            height_tokens=height_tokens,
            width_tokens=width_tokens,
            guidance=guidance,
            true_cfg_scale=true_cfg_scale,
            negative=negative,
        )
        self._condition = (condition or FluxCondition()).like(first_parameter(module))
        self.latent_shape = (len(self.image_ids), _latent_channels(module.config, self._condition))
        if self._condition.token_ids is not None:
            self.image_ids = torch.cat([self.image_ids, self._condition.token_ids])

    def __call__(self, latents: torch.Tensor, sigmas: torch.Tensor, prompt_index: torch.Tensor) -> torch.Tensor:
        """The velocity (B, N, C) of latents (B, N, C) at sigmas (B)."""
        return super().__call__(self._condition.joined(latents, prompt_index), sigmas, prompt_index)

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) of latents joined with the condition, without guidance by a negative prompt."""
        answer: torch.Tensor = self.module(
            hidden_states=latents,
            encoder_hidden_states=text.text,
            pooled_projections=text.required_pooled(),
            timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
            img_ids=self.image_ids,
            txt_ids=self.image_ids.new_zeros(text.text.shape[1], 3),
            guidance=self.guidance_of(sigmas),
            return_dict=False,
        )[0]
        return answer[:, : self.latent_shape[0]]


def _latent_channels(settings: Any, condition: FluxCondition) -> int:
    takes, gives = int(settings.in_channels), int(getattr(settings, "out_channels", None) or settings.in_channels)
    if takes - condition.channel_count != gives:
        raise InvalidArgumentError(
            f"condition: expected {takes - gives} channels, as the transformer takes {takes} and gives {gives}, "
            f"got {condition.channel_count}"
        )
    return gives


def assemble(parts: PipelineParts, condition: FluxCondition | None = None) -> Assembled:
    """`FluxPipeline`, and with a condition its kin."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    if not transformer.config.guidance_embeds:
        parts.refuse("guidance_scale", "this transformer takes no guidance value (FLUX.1-schnell)")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, pooled, _ = pipe.encode_prompt(prompt=line, prompt_2=line, max_sequence_length=length)
        return TextEmbeddings(text, pooled)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = FluxVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        guidance=parts.setting("guidance_scale"),
        condition=condition,
        **parts.guidance(parts.setting("true_cfg_scale") or 1.0, embed, default=None),
    )
    return Assembled(velocity, parts.shifted_grid(grid[0] * grid[1]), VAEDecoder(parts.part("vae"), token_grid=grid))
