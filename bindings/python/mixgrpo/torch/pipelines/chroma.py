"""Chroma."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..embeddings import TextEmbeddings
from ..guidance import TokenVelocity
from ..vae import VAEDecoder
from .parts import Assembled, PipelineParts


class ChromaVelocity(TokenVelocity):
    """diffusers' `ChromaTransformer2DModel` on latents packed as tokens (`pack_latents`).

    `module`: the transformer, also one that peft wraps. `prompts`: the embeddings of all prompts, by prompt index, with
    their mask, in which one token after the text counts.
    `true_cfg_scale`: guidance by a second call, away from `negative`; 1 (default) for none. There is no `guidance` value.
    """

    knows_guidance = False

    def predict(self, latents: torch.Tensor, sigmas: torch.Tensor, text: TextEmbeddings) -> torch.Tensor:
        """The velocity (B, N, C) without guidance."""
        of_text = text.counting().to(text.text.dtype)
        mask = torch.cat([of_text, of_text.new_ones(latents.shape[:2])], dim=1)
        with _mask_in_checkpoints(self.module, mask):
            answer: torch.Tensor = self.module(
                hidden_states=latents,
                encoder_hidden_states=text.text,
                timestep=1000 * sigmas / 1000,  # rounded as the pipeline's; the model itself multiplies by 1000
                img_ids=self.image_ids,
                txt_ids=self.image_ids.new_zeros(text.text.shape[1], 3),
                attention_mask=mask,
                return_dict=False,
            )[0]
        return answer


@contextlib.contextmanager
def _mask_in_checkpoints(module: Any, mask: torch.Tensor) -> Iterator[None]:
    """Under gradient checkpointing diffusers (0.42) calls the single blocks without the mask, so that an update would see
    another model than the rollout. Here they get it."""
    transformer = module.get_base_model() if hasattr(module, "get_base_model") else module
    plain = getattr(transformer, "_gradient_checkpointing_func", None)
    if plain is None:
        yield
        return

    def masked(block: Any, *arguments: Any) -> Any:
        if type(block).__name__ == "ChromaSingleTransformerBlock" and len(arguments) == 3:
            arguments = (*arguments, mask)
        return plain(block, *arguments)

    transformer._gradient_checkpointing_func = masked
    try:
        yield
    finally:
        transformer._gradient_checkpointing_func = plain


def assemble(parts: PipelineParts) -> Assembled:
    """`ChromaPipeline`."""
    pipe, transformer = parts.pipe, parts.part("transformer")
    length = parts.setting("max_sequence_length")

    def embed(line: str) -> TextEmbeddings:
        text, _, mask, *_ = pipe.encode_prompt(
            prompt=line, do_classifier_free_guidance=False, max_sequence_length=length
        )
        return TextEmbeddings(text, mask=mask)

    grid = parts.sizes_in(2 * pipe.vae_scale_factor)
    velocity = ChromaVelocity(
        transformer,
        parts.embedded(parts.prompts, embed),
        height_tokens=grid[0],
        width_tokens=grid[1],
        **parts.guidance(parts.setting("guidance_scale"), embed),
    )
    return Assembled(velocity, parts.shifted_grid(grid[0] * grid[1]), VAEDecoder(parts.part("vae"), token_grid=grid))
