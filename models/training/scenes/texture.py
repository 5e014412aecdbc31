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


def stripes(u: Field, period: float, width: float, footprint: Field | float) -> Field:
    """Return how much of each pixel is covered by stripes [0, width) of every period.

    The average over the pixel's own extent is exact, so that far stripes fade instead of flicker.

    Args:
        u: places in the middle of the pixels.
        period: from one stripe to the next, in the unit of u.
        width: of a stripe.
        footprint: extent of a pixel, in the unit of u.
    """
    half = np.maximum(footprint, 1e-4) / 2
    covered = _covered_until(u + half, period, width) - _covered_until(u - half, period, width)
    return covered / (2 * half)


def _covered_until(place: Field, period: float, width: float) -> Field:
    turns = np.floor(place / period)
    return turns * width + np.minimum(place - turns * period, width)


def between(u: Field, low: float, high: float, footprint: Field | float) -> Field:
    """Return how much of each pixel lies in [low, high]."""
    extent = np.maximum(footprint, 1e-4)
    inside = np.minimum(u + extent / 2, high) - np.maximum(u - extent / 2, low)
    return np.clip(inside / extent, 0, 1)


def blur(values: Field, sigma: float) -> Field:
    """Return values (row, column, ...) under a Gaussian of sigma cells; the border is repeated."""
    radius = max(1, round(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        around = [(0, 0)] * values.ndim
        around[axis] = (radius, radius)
        padded = np.pad(values, around, mode="edge")
        length = values.shape[axis]
        total = np.zeros_like(values)
        for start, weight in enumerate(weights):
            total += weight * padded[(slice(None),) * axis + (slice(start, start + length),)]
        values = total
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
    return _stretched(_stretched(values, factor, 0, rows), factor, 1, columns)


def _stretched(values: Field, factor: int, axis: int, length: int) -> Field:
    last = values.shape[axis] - 1
    place = (np.arange(length, dtype=np.float32) + 0.5) / factor - 0.5
    place = np.clip(place, 0, last).astype(np.float32)
    first = np.minimum(place.astype(np.int32), max(last - 1, 0))
    share = (place - first).reshape((-1,) + (1,) * (values.ndim - 1 - axis)).astype(np.float32)
    low, high = values.take(first, axis), values.take(np.minimum(first + 1, last), axis)
    return low + (high - low) * share
