"""Skies: colours seen in directions, with clouds on a layer above."""

from __future__ import annotations

import numpy as np

from scenes.distance import Array, Triple
from scenes.noise import fractal_noise, mix, ramp, smooth_step


def gradient(rays: Array, low: Triple, high: Triple, top: float = 0.5) -> Array:
    """Return colours (n, 3) that go from ``low`` at the horizon to ``high``."""
    up = np.clip(rays[:, 1], 0, 1)
    return ramp(low, high, np.minimum(up / top, 1) ** 0.65)


def with_clouds(
    rays: Array, sky: Array, bright: Triple, dark: Triple, cover: float, scale: float, seed: int
) -> Array:
    """Return a sky with clouds on a flat layer; ``cover`` is the share of it that they hide."""
    # A layer that curves down towards the horizon, so that far clouds are not mere streaks.
    up = np.maximum(rays[:, 1], 0) + 0.28
    x, z = rays[:, 0] / up * scale, rays[:, 2] / up * scale
    warp = fractal_noise(x * 1.2 + 7, z * 1.2, octaves=3, seed=seed + 50) * 0.7
    thick = fractal_noise(x + warp, z + warp, octaves=6, seed=seed)
    edge = 0.66 - 0.36 * cover
    inside = smooth_step(edge, edge + 0.16, thick)
    # The thick middle of a cloud is darker from below than its edge.
    colour = ramp(bright, dark, smooth_step(edge + 0.06, edge + 0.30, thick))
    shown = inside * smooth_step(0.02, 0.16, rays[:, 1])
    return mix(sky, colour, shown[:, None]).astype(np.float32)
