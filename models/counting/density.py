"""Density maps: people a cell, so that the sum over any region is how many people it holds.

Idea
    A point on a head is one pixel of a picture of zeros, which no network can hit. Spread over a
    small Gaussian it is still one person, and a map of them can be learnt and added up.

Equation
    D = Σᵢ δ(x - xᵢ) * G_σᵢ, with one σ for all, or
    σᵢ = 0.1 (d₁ + d₂ + d₃) of the distances to the three nearest others: in a crowd heads are as
    far apart as they are large                                      (MCNN: section 2.2)

Reading the map
    As CSRNet's authors make it: a point falls into the pixel that its coordinates lie in, and two
    in one pixel are one. Gaussians end at 4 σ and are normalised to that.

Limits
    What falls outside the picture: the fixed map mirrors it back, which keeps the count; the
    adaptive one loses it, so that its sum is smaller than the count. Two or three points have no
    three neighbours and no σ.

Source: Li, Zhang, Chen, CSRNet, CVPR 2018, arXiv:1802.10062; Zhang et al., MCNN, CVPR 2016.
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NEIGHBOURS = 3
"""whose distances set the width of a point"""
_TRUNCATED_AT = 4.0
"""sigmas at which a Gaussian ends"""
_LARGEST_SIGMA = 1e5
_AT_ONCE = 512
"""points whose distances to all others are held together"""


def dot_map(points: Float[Tensor, "n 2"], size: tuple[int, int]) -> Float[Tensor, "row column"]:
    """Return 1 in every pixel that holds a point, and 0 elsewhere.

    Args:
        points: (x, y) in pixels; those outside are left out.
        size: rows and columns.

    Raises:
        ValueError: if the points are not pairs of finite numbers.
    """
    if points.ndim != 2 or points.shape[1] != 2 or not torch.isfinite(points).all():
        raise ValueError(f"expected finite points of (x, y), received {tuple(points.shape)}")
    rows, columns = size
    pixels = points.trunc()
    inside = (pixels >= 0).all(dim=1) & (pixels[:, 0] < columns) & (pixels[:, 1] < rows)
    across, down = pixels[inside].long().unbind(dim=1)
    dots = points.new_zeros(size)
    dots[down, across] = 1
    return dots


def fixed_density(
    dots: Float[Tensor, "row column"], sigma: float, mirrored: bool = True
) -> Float[Tensor, "row column"]:
    """Return a map of points under one Gaussian, in people a pixel.

    Args:
        dots: as from ``dot_map``.
        sigma: standard deviation in pixels.
        mirrored: bring back what falls outside the picture, so that the sum is the count.

    Raises:
        ValueError: if sigma is not positive or too large to mean anything.
    """
    rows, columns = (_spread(count, sigma, mirrored).to(dots.dtype) for count in dots.shape)
    return rows @ dots @ columns.T


def adaptive_density(dots: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
    """Return a map of points under Gaussians as wide as their neighbours are far.

    What falls outside the picture is lost. A single point gets a quarter of the mean side.

    Args:
        dots: as from ``dot_map``.

    Raises:
        ValueError: if there are two or three points, whose neighbours are too few.
    """
    points = points_of(dots)
    if 1 < len(points) <= NEIGHBOURS:
        raise ValueError(
            f"expected one point or more than {NEIGHBOURS}, received {len(points)}: each needs "
            f"{NEIGHBOURS} neighbours"
        )
    if not len(points):
        return torch.zeros_like(dots)
    kernels = [_kernel(sigma) for sigma in adaptive_sigmas(dots).tolist()]
    # A Gaussian is the product of its profiles, so the sum over all points is one product too.
    down, across = (
        torch.stack(
            [_profile(count, int(at), kernel) for at, kernel in zip(line, kernels, strict=True)]
        )
        for count, line in zip(dots.shape, points.flip(dims=(1,)).T, strict=True)
    )
    return (down.T @ across).to(dots)


def points_of(dots: Float[Tensor, "row column"]) -> Float[Tensor, "n 2"]:
    """Return (x, y) of the pixels of ``dot_map`` that hold a point, row by row."""
    return dots.nonzero().flip(dims=(1,)).to(dots.dtype)


def neighbour_distances(points: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    """Return how far the three nearest others are, in ascending order; infinity where none is."""
    found = points.new_full((len(points), NEIGHBOURS), math.inf)
    kept = min(NEIGHBOURS, max(len(points) - 1, 0))
    for start in range(0, len(points), _AT_ONCE):
        some = points[start : start + _AT_ONCE]
        distances = torch.linalg.vector_norm(some[:, None] - points[None], dim=2)
        # The nearest is the point itself.
        nearest = distances.topk(kept + 1, largest=False).values
        found[start : start + len(some), :kept] = nearest[:, 1:]
    return found


def adaptive_sigmas(dots: Float[Tensor, "row column"]) -> Float[Tensor, " n"]:
    """Return the standard deviation of each point of ``points_of`` in pixels."""
    points = points_of(dots)
    if len(points) == 1:
        return points.new_full((1,), sum(dots.shape) / 2 / 4)
    return neighbour_distances(points).sum(dim=1) * 0.1


def _kernel(sigma: float) -> Float[Tensor, " offset"]:
    """Return the Gaussian at the offsets -r .. r, with the sum 1."""
    if not 0 < sigma <= _LARGEST_SIGMA:
        raise ValueError(f"expected a sigma above 0, up to {_LARGEST_SIGMA:g}, received {sigma}")
    radius = int(_TRUNCATED_AT * sigma + 0.5)
    weights = (-0.5 * (torch.arange(-radius, radius + 1).double() / sigma) ** 2).exp()
    return weights / weights.sum()


def _profile(count: int, at: int, kernel: Float[Tensor, " offset"]) -> Float[Tensor, " count"]:
    """Return the kernel around one of a row's pixels; what falls outside the row is lost."""
    offsets = torch.arange(count) - at + len(kernel) // 2
    inside = (offsets >= 0) & (offsets < len(kernel))
    return torch.where(inside, kernel[offsets.clamp(0, len(kernel) - 1)], 0.0)


def _spread(count: int, sigma: float, mirrored: bool) -> Float[Tensor, "to from"]:
    """Return how much each of a row's pixels gets of each, as a matrix."""
    kernel = _kernel(sigma)
    places = torch.arange(count)
    if not mirrored:
        return torch.stack([_profile(count, at, kernel) for at in range(count)])
    # The mirrored row ... c b a | a b c | c b a ... repeats, so the kernel may be folded onto it.
    period = 2 * count
    offsets = (torch.arange(len(kernel)) - len(kernel) // 2) % period
    folded = kernel.new_zeros(period).index_add(0, offsets, kernel)
    ahead, back = places - places[:, None], -1 - places - places[:, None]
    return folded[ahead % period] + folded[back % period]


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
