"""Pictures of samples, by a VAE of diffusers."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._arrays import ByteArray, floats
from ..errors import InvalidArgumentError, NotFiniteError
from .crossing import crossing_to
from .latents import unpack_latents


class VAEDecoder:
    """Makes pictures of samples with a diffusers VAE, to be given to `mixgrpo.train` as `decode`:

        decode = VAEDecoder(AutoencoderKL.from_pretrained(…), token_grid=(64, 64))

    `vae`: an `AutoencoderKL` or alike. How its latents are normalised is read from it: `scaling_factor` and
    `shift_factor` (FLUX, SD3, Sana, …), `latents_mean` and `latents_std` (Qwen-Image, Wan), or the statistics of its
    batch norm (FLUX.2).
    `token_grid`: height and width in tokens when samples are packed as for FLUX; None for samples (C, H, W) and for
    videos (C, F, H, W), of which a picture shows all frames, row by row.
    `batch_size`: samples decoded at a time.
    """

    def __init__(self, vae: Any, *, token_grid: tuple[int, int] | None = None, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size: expected 1 or more, got {batch_size}")
        self.vae = vae
        self.token_grid = token_grid
        self.batch_size = batch_size

    def __call__(self, samples: ArrayLike) -> ByteArray:
        """Pictures, uint8 (B, height, width, 3), of samples (B, N, C), (B, C, H, W) or (B, C, F, H, W). Raises
        `NotFiniteError` when the VAE gives a value that is not finite."""
        values = floats(samples, "samples")
        pieces = np.array_split(values, max(1, -(-len(values) // self.batch_size)))
        crossing = crossing_to(self.vae.device)
        with torch.no_grad():
            return np.concatenate([self._pictures(crossing.latents(piece, piece.shape)) for piece in pieces])

    def _pictures(self, samples: torch.Tensor) -> ByteArray:
        latents = self.latents_of(samples).to(self.vae.dtype)
        decoded = self.vae.decode(latents, return_dict=False)[0].float()
        if not bool(decoded.isfinite().all()):
            raise NotFiniteError(
                f"decode: expected finite pixels, got NaN or infinite ones from {type(self.vae).__name__} in "
                f"{self.vae.dtype}; in half precision try vae.to(torch.float32)"
            )
        pixels = ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to("cpu", torch.uint8)
        if pixels.ndim == 5:
            pixels = _frames_side_by_side(pixels)
        return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())

    def latents_of(self, samples: torch.Tensor) -> torch.Tensor:
        """Latents as the VAE takes them, (B, C, H, W) or (B, C, F, H, W), of samples."""
        settings = self.vae.config
        if (norm := getattr(self.vae, "bn", None)) is not None:
            spread = (norm.running_var + settings.batch_norm_eps).sqrt()
            normal: torch.Tensor = samples * spread.to(samples) + norm.running_mean.to(samples)
            return self._unpacked(normal)
        latents = self._unpacked(samples)
        if (mean := getattr(settings, "latents_mean", None)) is not None:
            if latents.ndim == 4:
                latents = latents.unsqueeze(2)  # one frame
            shape = (1, -1, 1, 1, 1)
            return latents * latents.new_tensor(settings.latents_std).view(shape) + latents.new_tensor(mean).view(shape)
        scaled: torch.Tensor = latents / settings.scaling_factor + (getattr(settings, "shift_factor", None) or 0.0)
        return scaled

    def _unpacked(self, samples: torch.Tensor) -> torch.Tensor:
        return samples if self.token_grid is None else unpack_latents(samples, *self.token_grid)


def _frames_side_by_side(pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, rows * H, columns * W) of videos (B, 3, F, H, W), about as many rows as columns; places without a
    frame are black."""
    count, channels, frames, height, width = pixels.shape
    columns = math.isqrt(frames - 1) + 1
    rows = -(-frames // columns)
    empty = pixels.new_zeros(count, channels, rows * columns - frames, height, width)
    places = torch.cat([pixels, empty], dim=2).reshape(count, channels, rows, columns, height, width)
    return places.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, rows * height, columns * width)
