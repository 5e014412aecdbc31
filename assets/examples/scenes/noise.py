"""Smooth noise over the plane and the space: what makes asphalt, brick, bark and cloud uneven."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
_PRIMES = (np.uint32(374761393), np.uint32(668265263), np.uint32(2246822519))


def cell_random(*indices: Array, seed: int = 0) -> Array:
    """Return a number in 0..1 for each cell, the same for the same integer indices."""
    mixed = np.uint32((seed * 2654435761 + 12345) & 0xFFFFFFFF)
    total = np.broadcast_to(mixed, np.broadcast_shapes(*(np.shape(i) for i in indices)))
    with np.errstate(over="ignore"):
        for index, prime in zip(indices, _PRIMES, strict=False):
            total = total ^ (np.asarray(index).astype(np.int64).astype(np.uint32) * prime)
            total = (total ^ (total >> np.uint32(15))) * np.uint32(2246822519)
        total = (total ^ (total >> np.uint32(13))) * np.uint32(3266489917)
    return ((total ^ (total >> np.uint32(16))) >> np.uint32(8)).astype(np.float32) / float(1 << 24)


def value_noise(*coordinates: Array, seed: int = 0) -> Array:
    """Return smooth noise in 0..1 with one bump a unit, for two or three coordinates."""
    floors = [np.floor(c) for c in coordinates]
    steps = [c - f for c, f in zip(coordinates, floors, strict=True)]
    eased = [s * s * (3 - 2 * s) for s in steps]
    total = np.zeros(np.broadcast_shapes(*(c.shape for c in coordinates)), np.float32)
    for corner in np.ndindex(*(2,) * len(coordinates)):
        weight = np.ones((), np.float32)
        for side, ease in zip(corner, eased, strict=True):
            weight = weight * (ease if side else 1 - ease)
        corners = (f + side for f, side in zip(floors, corner, strict=True))
        total += weight * cell_random(*corners, seed=seed)
    return total


def fractal_noise(*coordinates: Array, octaves: int = 4, seed: int = 0) -> Array:
    """Return noise in 0..1 with detail at ``octaves`` scales, each half as large and strong."""
    total, weight, norm = np.zeros((), np.float32), 1.0, 0.0
    for octave in range(octaves):
        scaled = [c * 2.0**octave + 17.3 * octave for c in coordinates]
        total = total + weight * value_noise(*scaled, seed=seed + octave)
        norm, weight = norm + weight, weight / 2
    return total / norm


def smooth_step(low: float, high: float, x: Array) -> Array:
    """Return 0 below ``low``, 1 above ``high`` and a smooth ramp between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Array | float, b: Array | float, t: Array | float) -> Array:
    """Return a where t is 0 and b where t is 1."""
    return np.asarray(a) * (1 - np.asarray(t)) + np.asarray(b) * np.asarray(t)


def ramp(low: tuple[float, ...], high: tuple[float, ...], t: Array) -> Array:
    """Return colours (n, 3) between two, for the shares t (n) of the second."""
    return mix(np.asarray(low, np.float32), np.asarray(high, np.float32), np.asarray(t)[:, None])


def paint(base: Array, colour: tuple[float, float, float], where: Array) -> Array:
    """Return colours (n, 3) with another laid over them as strongly as ``where`` (n) says."""
    return mix(base, np.asarray(colour, np.float32), where[:, None].astype(np.float32))
