"""Blades of grass, each a row of discs that tapers and bends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scenes.distance import Array
from scenes.noise import mix, smooth_step
from scenes.splat import leaf_light
from scenes.tracer import Light, linear

_FRESH = (linear(62, 92, 30), linear(122, 140, 62))
_DRY = linear(168, 152, 104)


def blades(
    root: Array,
    tall: Array,
    wide: float,
    parts: int,
    light: Light,
    lit: Callable[[Array], Array],
    seed: int,
) -> tuple[Array, Array, Array]:
    """Return discs (centres (n, 3), radii (n), colours (n, 3)) of blades.

    Args:
        root: where each blade stands (blade, 3).
        tall: height of each, metres.
        wide: half the width of the widest, metres.
        parts: discs a blade.
        light: what shines on them.
        lit: share of the sun, 0..1, that reaches places (..., 3).
        seed: of bends and colours.
    """
    rng = np.random.default_rng(seed)
    count = len(root)
    lean = rng.normal(0, 0.42, (count, 2)).clip(-0.8, 0.8) + np.array((0.14, -0.05))
    # Denser towards the tip, where the discs are small.
    t = (np.linspace(0, 1, parts) ** 0.6)[None, :, None]
    bend = np.concatenate([lean[:, :1], np.zeros((count, 1)), lean[:, 1:]], 1)[:, None]
    up = np.array((0, 1, 0))[None, None]
    at = root[:, None] + tall[:, None, None] * (up * (t - 0.22 * t**2) + bend * t**2)
    width = rng.uniform(0.55, 1.0, count)[:, None] * wide * (1.05 - t[..., 0] ** 2.2)
    fresh = mix(np.array(_FRESH[0]), np.array(_FRESH[1]), rng.random((count, 1, 1)))
    dry = rng.random((count, 1, 1)) > 0.93
    colour = np.where(dry, np.array(_DRY), fresh) * (0.25 + 0.75 * t**0.8)
    side = rng.normal(0, 1, (count, 3)) * (1, 0.35, 1) + (0, 0.4, 0)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    received = leaf_light(side.astype(np.float32), light, np.ones(count))[:, None]
    colour = colour * mix(np.array(light.ambient) * 0.8, received, lit(at)[..., None])
    return at.reshape(-1, 3).astype(np.float32), width.ravel(), colour.reshape(-1, 3)


def beside_sphere(at: Array, centre: Array, sun: Array) -> Array:
    """Return 0 for places in the shadow of a sphere of radius 1, 1 elsewhere."""
    to = centre - at
    along = to @ sun
    beside = np.sqrt(np.maximum((to**2).sum(-1) - along**2, 0))
    return np.where(along > 0, smooth_step(0.9, 1.1, beside), 1)
