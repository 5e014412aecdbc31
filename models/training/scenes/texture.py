"""Noise that wraps, stripes that do not alias, and a blur: what every surface is drawn with."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

SIDE = 256
"""cells of a noise tile along either axis"""

Field = np.ndarray


@cache
def tile(slope: float) -> Float[np.ndarray, "256 256"]:
    """Return noise that wraps, with mean 0 and deviation 1.

    Args:
        slope: how amplitude falls with frequency: 0 is white, 1 cloudy, 2 rolling hills.
    """
    white = np.random.default_rng(7).standard_normal((SIDE, SIDE))
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(white) / frequency**slope, s=(SIDE, SIDE))
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


@cache
def _fine_tile(slope: float) -> Float[np.ndarray, "1024 1024"]:
    """Return the tile with four cells for each of its own, between them smooth."""
    coarse, half = np.fft.rfft2(tile(slope)), SIDE // 2
    spectrum = np.zeros((4 * SIDE, 2 * SIDE + 1), np.complex128)
    spectrum[:half, :half] = coarse[:half, :half]
    spectrum[1 - half :, :half] = coarse[1 - half :, :half]
    return (np.fft.irfft2(spectrum, s=(4 * SIDE, 4 * SIDE)) * 16).astype(np.float32)


def noise(slope: float, x: Field, y: Field, offset: int = 0) -> Field:
    """Return the noise at places (x, y), in cells; another offset looks like another noise."""
    columns = np.floor(x).astype(np.int32) + offset * 97
    rows = np.floor(y).astype(np.int32) + offset * 61
    return tile(slope)[rows & (SIDE - 1), columns & (SIDE - 1)]


def smooth_noise(slope: float, x: Field, y: Field, offset: int = 0) -> Field:
    """Return the noise at places (x, y), in cells, smooth between them."""
    columns = np.floor(4 * x).astype(np.int32) + offset * 389
    rows = np.floor(4 * y).astype(np.int32) + offset * 241
    return _fine_tile(slope)[rows & (4 * SIDE - 1), columns & (4 * SIDE - 1)]


def stripes(
    u: np.ndarray | float, period: float, width: float, footprint: np.ndarray | float
) -> Field:
    """Return how much of each pixel is covered by stripes [0, width) of every period.

    The average over the pixel's own extent is exact, so that far stripes fade instead of flicker.

    Args:
        u: places in the middle of the pixels.
        period: from one stripe to the next, in the unit of u.
        width: of a stripe.
        footprint: extent of a pixel, in the unit of u.
    """
    u, half = np.asarray(u, np.float32), np.maximum(np.asarray(footprint, np.float32), 1e-4) / 2

    def covered_until(place: Field) -> Field:
        turns = np.floor(place / period)
        return turns * width + np.minimum(place - turns * period, width)

    return (covered_until(u + half) - covered_until(u - half)) / (2 * half)


def between(
    u: np.ndarray | float,
    low: np.ndarray | float,
    high: np.ndarray | float,
    footprint: np.ndarray | float,
) -> Field:
    """Return how much of each pixel lies in [low, high]."""
    u, extent = np.asarray(u, np.float32), np.maximum(np.asarray(footprint, np.float32), 1e-4)
    inside = np.minimum(u + extent / 2, high) - np.maximum(u - extent / 2, low)
    return np.clip(inside / extent, 0, 1).astype(np.float32)


def blur(values: Field, sigma: float) -> Field:
    """Return values (row, column, ...) under a Gaussian of sigma cells; the border is repeated."""
    radius = max(1, int(np.ceil(2.5 * sigma)))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        around = [(0, 0)] * values.ndim
        around[axis] = (radius, radius)
        padded = np.pad(values, around, mode="edge")
        length = values.shape[axis]
        values = sum(
            weight * padded[(slice(None),) * axis + (slice(start, start + length),)]
            for start, weight in enumerate(weights)
        )
    return values


def reduced(values: Field, factor: int) -> Field:
    """Return means over blocks of factor x factor cells; what is left over is repeated."""
    rows, columns = values.shape[:2]
    below, right = -rows % factor, -columns % factor
    padded = np.pad(values, ((0, below), (0, right), *[(0, 0)] * (values.ndim - 2)), mode="edge")
    total = np.zeros_like(padded[::factor, ::factor])
    for row in range(factor):
        for column in range(factor):
            total += padded[row::factor, column::factor]
    return total / factor**2


def enlarged(values: Field, factor: int, rows: int, columns: int) -> Field:
    """Return values enlarged by a factor, linear between the cells, cut to rows x columns."""

    def along(values: Field, axis: int, length: int) -> Field:
        place = np.clip(
            (np.arange(length, dtype=np.float32) + 0.5) / factor - 0.5, 0, values.shape[axis] - 1
        )
        first = np.minimum(place.astype(np.int64), max(values.shape[axis] - 2, 0))
        second = np.minimum(first + 1, values.shape[axis] - 1)
        share = (place - first).reshape((-1,) + (1,) * (values.ndim - 1 - axis))
        low, high = values.take(first, axis), values.take(second, axis)
        return low + (high - low) * share

    return along(along(values, 0, rows), 1, columns)
