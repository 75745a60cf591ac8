"""Latents as a row of tokens: squares of 2 x 2 pixels each, as FLUX.1 takes them."""

import torch

PATCH = 2  # latent pixels along an edge of a token


def pack(latents: torch.Tensor) -> torch.Tensor:
    """Tokens (B, H/2 x W/2, 4 C), row by row, of latents (B, C, H, W)."""
    squares = latents.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))
    return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpack(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Latents (B, C, height, width) of their tokens."""
    rows = tokens.unflatten(1, (height // PATCH, width // PATCH))
    squares = rows.unflatten(3, (-1, PATCH, PATCH)).permute(0, 3, 1, 4, 2, 5)
    return squares.flatten(4).flatten(2, 3)
