"""Position embeddings of transformers, for an input of another size than the file was made for."""

from __future__ import annotations

import math
from typing import Any

import torch
from timm.layers import resample_abs_pos_embed

NAME = "pos_embed"


def positions_on_grid(found: dict[str, torch.Tensor], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The file's absolute positions, interpolated to the model's grid (Dosovitskiy et al., ICLR 2021, section 3.2).

    Empty where the model has none, where they fit as they are, or where they are not a square grid of the model's
    width: what does not fit then is refused by its shape.
    """
    given, own = found.get(NAME), getattr(model, NAME, None)
    if given is None or not isinstance(own, torch.Tensor) or given.shape == own.shape:
        return {}
    if given.ndim != 3 or own.ndim != 3 or given.shape[2] != own.shape[2]:
        return {}
    known: Any = model
    prefix = 0 if getattr(known, "no_embed_class", False) else int(getattr(known, "num_prefix_tokens", 0))
    if math.isqrt(given.shape[1] - prefix) ** 2 != given.shape[1] - prefix:
        return {}
    size = list(known.patch_embed.grid_size)
    return {NAME: resample_abs_pos_embed(given, new_size=size, num_prefix_tokens=prefix)}
