"""Latent images as tokens and back, and as pictures."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._arrays import ByteArray, floats
from ..errors import InvalidArgumentError

PATCH = 2  # FLUX joins squares of 2 x 2 latent pixels to one token


def pack_latents(latents: torch.Tensor) -> torch.Tensor:
    """Tokens (B, H/2 * W/2, 4C) of latent images (B, C, H, W), H and W even: a token is one square of 2 x 2 latent
    pixels, its values in the order (channel, row, column)."""
    count, channels, height, width = latents.shape
    if height % PATCH or width % PATCH:
        raise InvalidArgumentError(f"latents: expected even height and width, got {height} x {width}")
    squares = latents.reshape(count, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(count, height * width // PATCH**2, channels * PATCH**2)


def unpack_latents(tokens: torch.Tensor, height_tokens: int, width_tokens: int) -> torch.Tensor:
    """Latent images (B, C, H, W) of tokens (B, N, 4C): what `pack_latents` does, undone."""
    count, length, width = tokens.shape
    if length != height_tokens * width_tokens or width % PATCH**2:
        expected = f"(B, {height_tokens} * {width_tokens}, a multiple of {PATCH**2})"
        raise InvalidArgumentError(f"tokens: expected shape {expected}, got {tuple(tokens.shape)}")
    channels = width // PATCH**2
    squares = tokens.reshape(count, height_tokens, width_tokens, channels, PATCH, PATCH)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, height_tokens * PATCH, width_tokens * PATCH)


class VAEDecoder:
    """Makes pictures of samples with a diffusers VAE, to be given to `mixgrpo.train` as `decode`:

        decode = VAEDecoder(AutoencoderKL.from_pretrained(…), token_grid=(64, 64))

    `vae`: an `AutoencoderKL` or alike, with `scaling_factor` and `shift_factor` in its config.
    `token_grid`: height and width in tokens when samples are packed as for FLUX; None for samples (C, H, W).
    `batch_size`: pictures decoded at a time.
    """

    def __init__(self, vae: Any, *, token_grid: tuple[int, int] | None = None, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size: expected 1 or more, got {batch_size}")
        self.vae = vae
        self.token_grid = token_grid
        self.batch_size = batch_size

    def __call__(self, samples: ArrayLike) -> ByteArray:
        """Pictures, uint8 (B, height, width, 3), of samples (B, N, C) or (B, C, H, W)."""
        values = floats(samples, "samples")
        pieces = np.array_split(values, max(1, -(-len(values) // self.batch_size)))
        with torch.no_grad():
            return np.concatenate([self._pictures(torch.from_numpy(piece.copy())) for piece in pieces])

    def _pictures(self, latents: torch.Tensor) -> ByteArray:
        if self.token_grid is not None:
            latents = unpack_latents(latents, *self.token_grid)
        settings = self.vae.config
        latents = latents / settings.scaling_factor + (getattr(settings, "shift_factor", None) or 0.0)
        decoded = self.vae.decode(latents.to(self.vae.device, self.vae.dtype), return_dict=False)[0]
        pixels = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round().to("cpu", torch.uint8)
        return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())
