"""Filling removed pixels from their neighbours, so that the hole itself gives nothing away."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

NOISE = 0.01
"""standard deviation of what is added to filled pixels, in the network's normalised units"""
_STRAIGHT, _DIAGONAL = 1 / 6, 1 / 12
_SMALLEST = 8
_MOST_STEPS, _LOOK_EVERY = 400, 8
"""of conjugate gradients on each level; the level below has found the coarse part already"""
_ENOUGH = 5e-6
"""root mean square of what the equations of the missing pixels are off by: far below the noise"""


def imputed(
    x: Float[Tensor, "1 channel row column"],
    removed: Bool[Tensor, "n row column"],
    generator: torch.Generator | None = None,
    noise: float = NOISE,
) -> Float[Tensor, "n channel row column"]:
    """Return a picture with pixels removed, filled by noisy linear imputation.

    Every removed pixel is the weighted mean of its neighbours, 1/6 for the four straight and 1/12
    for the four diagonal ones, which is one linear system; then a little noise is added. Rong et
    al., A Consistent and Efficient Evaluation Strategy for Attribution Methods (ROAD), ICML 2022,
    arXiv:2202.00449, section 4.2. The system is solved by conjugate gradients, from a coarse grid
    to the fine one.

    Args:
        x: a batch of one picture.
        removed: where pixels are missing; where all are, the picture's mean stands for them.
        generator: draws the noise.
        noise: its standard deviation; 0 for none.
    """
    known = ~removed[:, None]
    count = known.sum(dim=(2, 3), keepdim=True)
    mean = (x * known).sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
    mean = torch.where(count > 0, mean, x.mean(dim=(2, 3), keepdim=True))
    # Less the mean, so that what starts at 0 starts near.
    filled = _filled((x - mean) * known, known) + mean
    drawn = torch.randn(filled.shape, generator=generator).to(filled) * noise
    return torch.where(known, x, filled + drawn)


def _filled(values: Tensor, known: Tensor) -> Tensor:
    """Return values where known, and the solution of the system elsewhere."""
    if min(values.shape[2:]) >= 2 * _SMALLEST and not bool(known.all()):
        start = _enlarged(_filled(*_halved(values, known)), values.shape[2:])
    else:
        start = torch.zeros_like(values)
    return _solved(values, known, torch.where(known, values, start))


def _halved(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    shares = F.avg_pool2d(known.to(values), 2, ceil_mode=True)
    sums = F.avg_pool2d(values, 2, ceil_mode=True)
    return sums / shares.clamp(min=1e-6) * (shares > 0), shares > 0


def _enlarged(values: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(values, size=tuple(size), mode="bilinear", align_corners=False)


def _neighbours(values: Tensor) -> Tensor:
    """Return the weighted sum over the eight neighbours; beyond the edge there is nothing."""
    padded = F.pad(values, (1, 1, 1, 1))
    columns = padded[..., :-2] + padded[..., 2:]
    straight = columns[..., 1:-1, :] + padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    return _STRAIGHT * straight + _DIAGONAL * (columns[..., :-2, :] + columns[..., 2:, :])


def _solved(values: Tensor, known: Tensor, start: Tensor) -> Tensor:
    """Improve a start by conjugate gradients on the missing pixels, each plane on its own."""
    missing = (~known).to(values)
    weight = _neighbours(torch.ones_like(values[:1, :1]))

    def applied(part: Tensor) -> Tensor:
        return missing * (weight * part - _neighbours(part))

    def product(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).sum(dim=(2, 3), keepdim=True)

    unknown = start * missing
    residual = missing * _neighbours(values * known) - applied(unknown)
    direction, size = residual, product(residual, residual)
    enough = _ENOUGH**2 * missing.sum(dim=(2, 3), keepdim=True)
    for number in range(_MOST_STEPS):
        if number % _LOOK_EVERY == 0 and bool((size <= enough).all()):
            break
        along = applied(direction)
        step = size / product(direction, along).clamp(min=1e-20)
        unknown = unknown + step * direction
        residual = residual - step * along
        before, size = size, product(residual, residual)
        direction = residual + size / before.clamp(min=1e-20) * direction
    return torch.where(known, values, unknown)
