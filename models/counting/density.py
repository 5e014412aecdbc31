"""Density maps: people a cell, so that the sum over any region is how many people it holds."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@overload
def resize_conserving(density: Tensor, size: tuple[int, int]) -> Tensor: ...


@overload
def resize_conserving(density: np.ndarray, size: tuple[int, int]) -> np.ndarray: ...


def resize_conserving(density: Tensor | np.ndarray, size: tuple[int, int]) -> Tensor | np.ndarray:
    """Return the map on another grid over the same area, with the same sum in any region.

    Each cell's people are spread evenly over its own area; a new cell gets what lies inside it.

    Args:
        density: (..., row, column), of any ratio to ``size``, up or down or both.
        size: rows and columns of the result.

    Returns:
        The same kind of array with the same precision.

    Raises:
        ValueError: if either grid has no cells.
    """
    if isinstance(density, np.ndarray):
        kind = density.dtype if np.issubdtype(density.dtype, np.floating) else np.float64
        resized = resize_conserving(torch.from_numpy(density.astype(np.float64)), size)
        return resized.numpy().astype(kind)
    if density.ndim < 2 or min(*density.shape[-2:], *size) < 1:
        raise ValueError(f"expected maps with cells, received {tuple(density.shape)} and {size}")
    kind_of = density.dtype if density.is_floating_point() else torch.float64
    rows, columns = (
        _shares(old, new, density.device) for old, new in zip(density.shape[-2:], size, strict=True)
    )
    return (rows @ density.double() @ columns.T).to(kind_of)


def _shares(old: int, new: int, device: torch.device) -> Float[Tensor, "new old"]:
    """Return what share of each old cell lies in each new cell; every column sums to 1."""
    edges = torch.arange(new + 1, dtype=torch.float64, device=device) * old / new
    cells = torch.arange(old, dtype=torch.float64, device=device)
    passed = (edges[:, None] - cells).clamp(0, 1)
    return passed[1:] - passed[:-1]
