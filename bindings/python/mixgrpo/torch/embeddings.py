"""Text embeddings of the prompts that a diffusers transformer is asked about."""

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import InvalidArgumentError

LARGE = 2**30
"""Bytes of text from which on embeddings stay in the CPU's memory. A prompt of FLUX.1 takes 4 MiB in bf16."""


class TextEmbeddings:
    """Embeddings of P prompts, from whatever encoders the model was trained with.

    `text`: (P, L, J). `pooled`: (P, K), for models that take pooled text. `mask`: (P, L), true for the tokens that
    count, for models that take a mask; all of them by default. As negative prompts of a model they are P for its P
    prompts, or one for all.
    """

    def __init__(
        self, text: torch.Tensor, pooled: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> None:
        fits = text.ndim == 3 and len(text) > 0
        fits = fits and (pooled is None or pooled.ndim == 2 and len(pooled) == len(text))
        fits = fits and (mask is None or mask.shape == text.shape[:2])
        if not fits:
            shapes = [None if part is None else tuple(part.shape) for part in (text, pooled, mask)]
            raise InvalidArgumentError(
                f"embeddings: expected text (P, L, J), pooled (P, K) and mask (P, L), got {shapes[0]}, {shapes[1]} "
                f"and {shapes[2]}"
            )
        self.text = text.detach()
        self.pooled = None if pooled is None else pooled.detach()
        self.mask = None if mask is None else mask.detach().bool()

    @classmethod
    def joined(cls, parts: Sequence["TextEmbeddings"]) -> "TextEmbeddings":
        """The prompts of all parts in one, shorter texts filled up with masked zeros. The parts must agree in widths
        and in whether they have pooled text."""
        length = max(part.text.shape[1] for part in parts)
        has_mask = any(part.mask is not None or part.text.shape[1] < length for part in parts)
        return cls(
            torch.cat([_filled(part.text, length) for part in parts]),
            None if parts[0].pooled is None else torch.cat([part.required_pooled() for part in parts]),
            torch.cat([_filled(part.counting(), length) for part in parts]) if has_mask else None,
        )

    def __len__(self) -> int:
        """P."""
        return len(self.text)

    def near(self, example: torch.Tensor) -> "TextEmbeddings":
        """The same in a tensor's type and on its device; on the CPU when they take more than `LARGE`."""
        size = self.text.numel() * example.element_size()
        return self.to(torch.device("cpu") if size > LARGE else example.device, example.dtype)

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "TextEmbeddings":
        """The same on a device and in a type."""
        pooled = None if self.pooled is None else self.pooled.to(device, dtype)
        mask = None if self.mask is None else self.mask.to(device)
        return TextEmbeddings(self.text.to(device, dtype), pooled, mask)

    def of(self, prompt_index: torch.Tensor) -> "TextEmbeddings":
        """Those of these prompts, B, on the device of their indices."""
        index = prompt_index.to(self.text.device)
        if len(self) == 1:
            index = torch.zeros_like(index)
        pooled = None if self.pooled is None else self.pooled[index]
        mask = None if self.mask is None else self.mask[index]
        return TextEmbeddings(self.text[index], pooled, mask).to(prompt_index.device)

    def counting(self) -> torch.Tensor:
        """The mask (P, L), also where all tokens count."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.text.shape[:2], dtype=torch.bool, device=self.text.device)

    def required_pooled(self) -> torch.Tensor:
        """The pooled text (P, K). Raises `InvalidArgumentError` when there is none."""
        if self.pooled is None:
            raise InvalidArgumentError("pooled: expected pooled text (P, K), which this model takes, got none")
        return self.pooled


_TEXT_WIDTHS = ("joint_attention_dim", "cap_feat_dim", "caption_channels", "text_dim")
"""The names that transformers give to the width of text, J."""


def check_widths(prompts: TextEmbeddings, settings: Any, field: str) -> None:
    """Raises `InvalidArgumentError` unless embeddings have the widths that a transformer's config names."""
    names = [name for name in _TEXT_WIDTHS if isinstance(getattr(settings, name, None), int)]
    parts = [(prompts.text, "text", names[0])] if names else []
    if prompts.pooled is not None and isinstance(getattr(settings, "pooled_projection_dim", None), int):
        parts.append((prompts.pooled, "pooled text", "pooled_projection_dim"))
    for values, kind, name in parts:
        if values.shape[-1] != getattr(settings, name):
            raise InvalidArgumentError(
                f"{field}: expected {kind} of width {getattr(settings, name)}, the {name} of the transformer, got "
                f"{values.shape[-1]}; they are of another model's encoder"
            )


def check_count(velocity: Any, count: int, field: str) -> None:
    """Raises `InvalidArgumentError` when a velocity has embeddings of fewer prompts than `count`, unless of one for all."""
    prompts = getattr(velocity, "prompts", None)
    if isinstance(prompts, TextEmbeddings) and 1 < len(prompts) < count:
        raise InvalidArgumentError(
            f"{field}: expected indices of the {len(prompts)} prompts whose embeddings the velocity has, got {count - 1}"
            if field != "lines"
            else f"{field}: expected at most {len(prompts)}, as the velocity has embeddings of as many prompts, got {count}"
        )


def _filled(rows: torch.Tensor, length: int) -> torch.Tensor:
    """Tokens (P, L, …) followed by zeros up to `length`."""
    missing = length - rows.shape[1]
    return torch.cat([rows, rows.new_zeros(len(rows), missing, *rows.shape[2:])], dim=1) if missing else rows
