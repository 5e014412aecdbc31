"""The ground: strips of asphalt, stone and grass, with joints, cracks, paint and lids."""

from __future__ import annotations

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.street import Street, in_shade
from models.training.scenes.texture import between, noise, smooth_noise, stripes
from models.training.scenes.view import Canvas, Field


def paint_ground(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the flat ground with its strips, joints, markings, manholes and shadows of walls."""
    view = canvas.view
    window = view.box(-view.margin[0], view.horizon + 1.5, view.width + view.margin[0],
                      view.height + view.margin[1])  # fmt: skip
    if window is None:
        return
    y, columns = view.rows()[window[0]], view.columns()
    z = np.minimum(view.focal * view.eye / (y - view.horizon), 400.0)
    across, along = z / view.focal, z**2 / (view.focal * view.eye)
    x = (columns - view.ahead) * across
    rgb, heat, warming, rough, slab = _strips(street, x, across)
    joint = np.maximum(stripes(x, 0.9, 0.02, across), stripes(z, 0.9, 0.02, along))
    grain = noise(0.35, x / 0.03, z / 0.03, 1) / (1 + along / 0.02)
    stain = smooth_noise(1.3, x / 0.11, z / 0.2, 2)
    crack = _cracks(x, z, along) * (slab == 0) * (rough < 0.2)
    shade = 1 + rough * (0.9 * grain + 0.55 * stain) - 0.25 * joint * (slab > 0) - 0.35 * crack
    rgb = rgb * np.clip(shade, 0.3, 1.8)[..., None]
    sun = 1 - in_shade(street, climate, x, z)
    paint = _markings(street, x, z, across, along) * np.clip(0.75 + 0.3 * grain, 0.2, 1)
    rgb += (np.array([0.62, 0.62, 0.58], np.float32) - rgb) * paint[..., None]
    heat = heat + climate.stored + climate.air + warming * climate.warming * (0.15 + 0.85 * sun)
    heat += 0.22 * stain + 0.8 * rough * grain - 1.2 * paint * (climate.warming > 2)
    for hole_x, hole_z in street.manholes:
        ring = np.hypot(x - hole_x, z - hole_z)
        lid = between(ring, -1.0, 0.34, across)
        ribs = 0.6 + 0.5 * stripes(x + z, 0.12, 0.06, along)
        rgb += (np.array([0.1, 0.1, 0.1], np.float32) * ribs[..., None] - rgb) * lid[..., None]
        heat += lid * (3.5 if climate.night else 1.0)
    canvas.cover(window, np.ones_like(x), rgb, heat, z, sun)


def _strips(street: Street, x: Field, across: Field) -> tuple[Field, ...]:
    table = np.array([[*s.rgb, s.heat, s.warming, s.rough, s.slab] for s in street.strips],
                     np.float32)  # fmt: skip
    edges = np.array(street.edges, np.float32)
    low = table[np.searchsorted(edges, x - across / 4)]
    values = (low + table[np.searchsorted(edges, x + across / 4)]) / 2
    return values[..., :3], values[..., 3], values[..., 4], values[..., 5], values[..., 6]


def _cracks(x: Field, z: Field, along: Field) -> Field:
    line = np.abs(smooth_noise(1.5, x / 0.07, z / 0.1, 9))
    return np.clip(1 - line / 0.03, 0, 1) / (1 + along / 0.1)


def _markings(street: Street, x: Field, z: Field, across: Field, along: Field) -> Field:
    left, right = street.road
    if right - left < 3:
        return np.zeros_like(x)
    middle = (left + right) / 2
    dashed = between(x, middle - 0.07, middle + 0.07, across) * stripes(z, 9.0, 4.5, along)
    sides = between(x, left + 0.3, left + 0.44, across) + between(
        x, right - 0.44, right - 0.3, across
    )
    lines = np.clip(dashed + sides, 0, 1)
    if street.crossing is None:
        return lines
    start = street.crossing
    zebra = stripes(x - left, 0.95, 0.48, across) * between(x, left, right, across)
    inside = between(z, start, start + 3.2, along)
    stop = between(z, start - 2.0, start - 1.6, along) * between(x, middle, right, across)
    return np.clip(lines * (1 - between(z, start - 2, start + 3.6, along)) + zebra * inside + stop,
                   0, 1)  # fmt: skip
