"""Draw very many small discs into a picture: blades of grass, leaves, twigs."""

from __future__ import annotations

import numpy as np

from scenes.distance import Array, length
from scenes.tracer import Light, Picture

_MOST = 2_000_000
"""pixels that are touched at once"""
_LARGEST = 40


def draw(picture: Picture, at: Array, radius: Array, colour: Array) -> None:
    """Draw discs that face us, nearer ones over farther ones and over what rays have met.

    Args:
        picture: what has been traced and shaded so far.
        at: centres (n, 3) in metres.
        radius: radii (n) in metres.
        colour: linear colours (n, 3).
    """
    column, row, forward = picture.project(at)
    size = radius / np.maximum(forward, 1e-3) * picture.camera.focal * picture.width
    seen = (forward > 0.05) & (size > 0.2)
    away = length(*(at - np.array(picture.camera.eye)).T).astype(np.float32)
    # Far discs first: of equal indices numpy keeps the last.
    order = np.flatnonzero(seen)[np.argsort(-away[seen])]
    reach = np.ceil(np.minimum(size[order], _LARGEST)).astype(int)
    start = 0
    while start < len(order):
        widest = int(reach[start : start + _MOST // 9].max())
        count = max(1, min(_MOST // (2 * widest + 1) ** 2, len(order) - start))
        chosen = order[start : start + count]
        _stamp(picture, column[chosen], row[chosen], size[chosen], away[chosen], colour[chosen])
        start += count


def _stamp(
    picture: Picture, column: Array, row: Array, size: Array, away: Array, colour: Array
) -> None:
    reach = int(np.ceil(min(size.max(), _LARGEST)))
    side = np.arange(-reach, reach + 1)
    x = np.round(column).astype(int)[:, None, None] + side[None, None, :]
    y = np.round(row).astype(int)[:, None, None] + side[None, :, None]
    dx, dy = x + 0.5 - column[:, None, None], y + 0.5 - row[:, None, None]
    inside = dx * dx + dy * dy <= np.maximum(size, 0.6)[:, None, None] ** 2
    inside &= (x >= 0) & (x < picture.width) & (y >= 0) & (y < picture.height)
    which, _, _ = np.nonzero(inside)
    place = (y * picture.width + x)[inside]
    nearer = away[which] < picture.depth[place]
    which, place = which[nearer], place[nearer]
    picture.depth[place] = away[which]
    picture.colour[place] = colour[which]


def leaf_light(normal: Array, light: Light, lit: Array, thin: float = 0.35) -> Array:
    """Return the light (n, 3) on thin leaves, some of which shines through from behind."""
    facing = normal @ np.array(light.sun, np.float32)
    sun = np.maximum(facing, -facing * thin) * lit
    upward = (0.5 + 0.5 * normal[:, 1])[:, None]
    around = np.array(light.bounce) * (1 - upward) + np.array(light.ambient) * upward
    return sun[:, None] * np.array(light.sun_colour) + around
