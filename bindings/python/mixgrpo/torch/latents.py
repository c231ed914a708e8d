"""Latent images as tokens and back."""

import torch

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


def image_position_ids(height_tokens: int, width_tokens: int) -> torch.Tensor:
    """Positions of image tokens for FLUX, (N, 3): 0, row, column. Raises `InvalidArgumentError` for sizes below 1."""
    if min(height_tokens, width_tokens) < 1:
        got = f"{height_tokens}, {width_tokens}"
        raise InvalidArgumentError(f"height_tokens, width_tokens: expected 1 or more, got {got}")
    rows, columns = torch.meshgrid(torch.arange(height_tokens), torch.arange(width_tokens), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3).float()


def check_latent_image(height: int, width: int, patch: int) -> None:
    """Raises `InvalidArgumentError` unless height and width are multiples of the patch size."""
    if min(height, width) < 1 or height % patch or width % patch:
        raise InvalidArgumentError(f"height, width: expected multiples of {patch}, got {height}, {width}")
