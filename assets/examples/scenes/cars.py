"""A small car: body, cabin and wheels as distances, paint, glass and lamps as surfaces."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Point, Triple
from scenes.tracer import Solid, Surface, linear

_BODY = [
    (-2.02, 0.36),
    (2.02, 0.36),
    (2.06, 0.74),
    (1.94, 0.88),
    (-0.95, 0.86),
    (-1.9, 0.70),
    (-2.06, 0.58),
]
_HATCHBACK = [(-1.22, 0.84), (1.98, 0.84), (1.70, 1.28), (1.36, 1.40), (-0.12, 1.40), (-0.40, 1.34)]
_VAN = [(-1.62, 0.84), (2.02, 0.84), (2.02, 1.86), (1.9, 1.98), (-0.55, 1.98), (-0.80, 1.90)]
_CABINS = {"car": _HATCHBACK, "van": _VAN}
_HALF_WIDTH = 0.80
_AXLES = (-1.28, 1.27)


def car(
    at: Triple, colour: Triple, towards_us: bool = True, kind: str = "car", lit: bool = False
) -> Solid:
    """Return a car or a van that stands at a place, facing us or driving away.

    Args:
        at: middle of the car on the road.
        colour: of the paint, linear.
        towards_us: whether its front is turned to us.
        kind: "car" or "van".
        lit: whether its lamps are on.
    """
    cabin = _CABINS[kind]
    sign = np.float32(1 if towards_us else -1)

    def local(p: Point) -> Point:
        x, y, z = sd.moved(p, at)
        return x * sign, y, z * sign

    def surface(p: Point, normal: Array) -> Surface:
        return _surface(local(p), normal * np.array((sign, 1, sign), np.float32), colour, kind, lit)

    low = (at[0] - 1.0, at[1], at[2] - 2.2)
    high = (at[0] + 1.0, at[1] + cabin[-2][1] + 0.15, at[2] + 2.2)
    return Solid(low, high, lambda p: _distance(local(p), cabin), surface, caution=0.8)


def _distance(p: Point, cabin: list[tuple[float, float]]) -> Array:
    x, y, z = p
    side = np.abs(x)
    r = 0.07
    # Seen from above the ends are rounder than the sides.
    nose = side + 0.10 * np.maximum(np.abs(z) - 1.45, 0) ** 2 * 2.2
    body = sd.prism(z, y, nose, _BODY, _HALF_WIDTH - r) - r
    lean = side + 0.20 * np.maximum(y - 0.84, 0)
    upper = sd.prism(z, y, lean, cabin, _HALF_WIDTH - 0.06 - r) - r
    shape = sd.blend(body, upper, 0.05)
    folded = (side, y, np.abs(z))
    arches = sd.cylinder(folded, (_HALF_WIDTH, 0.32, 1.275), 0.37, 0.3, axis=0)
    wheels = sd.cylinder(folded, (_HALF_WIDTH - 0.10, 0.31, 1.275), 0.295, 0.085, axis=0) - 0.015
    mirrors = sd.ellipsoid((side, y, z), (0.93, 0.97, -0.72), (0.10, 0.075, 0.06))
    return sd.union(sd.carve(shape, arches), wheels, mirrors)


def _surface(p: Point, normal: Array, paint: Triple, kind: str, lit: bool) -> Surface:
    x, y, z = p
    side = np.abs(x)
    top = {"car": 1.36, "van": 1.84}[kind]
    count = len(x)
    colour = np.tile(np.array(paint, np.float32), (count, 1))
    gloss = np.full(count, 0.10, np.float32)
    glow = np.zeros((count, 3), np.float32)

    def fill(where: Array, value: Triple, shine: float) -> None:
        colour[where], gloss[where] = value, shine

    seam = (np.abs(np.abs(z - 0.25) - 0.62) < 0.008) & (y > 0.42) & (side > 0.7)
    fill(seam | (y < 0.44), linear(26, 26, 28), 0.02)
    glass = linear(14, 18, 20)
    side_glass = (np.abs(normal[:, 0]) > 0.7) & (y > 0.92) & (y < top - 0.06)
    last = {"car": 1.55, "van": -0.1}[kind]
    pillars = (np.abs(z - 0.32) < 0.045) | (z > last) | (z < -0.82 + (y - 0.92) * 0.55)
    fill(side_glass & ~pillars & (side > 0.5), glass, 0.22)
    screens = (
        (np.abs(normal[:, 2]) > 0.30) & (y > 0.90) & (y < top) & (side < 0.66 - 0.15 * (y - 0.9))
    )
    fill(screens & ((z < 0) | (kind == "car")), glass, 0.25)
    front, back = z < -1.78, z > 1.86
    fill(front & (side < 0.44) & (y > 0.56) & (y < 0.68), linear(18, 18, 20), 0.05)
    lamp = front & (side > 0.50) & (side < 0.76) & (y > 0.57) & (y < 0.71)
    fill(lamp, linear(226, 230, 234), 0.3)
    tail = back & (side > 0.56) & (y > 0.62) & (y < 0.86)
    fill(tail, linear(150, 16, 18), 0.15)
    plate = (front | back) & (side < 0.26) & (y > 0.45) & (y < 0.54)
    fill(plate & front, linear(232, 232, 226), 0.05)
    fill(plate & back, linear(226, 190, 50), 0.05)
    letters = plate & (np.sin(x * 84) > -0.1) & (np.abs(y - 0.495) < 0.028) & (side < 0.23)
    fill(letters, linear(24, 24, 24), 0.0)
    if lit:
        glow[lamp], glow[tail] = (5.0, 4.6, 3.6), (2.2, 0.10, 0.06)
    _wheels(x, y, z, fill)
    return Surface(colour, gloss, glow)


def _wheels(x: Array, y: Array, z: Array, fill) -> None:  # type: ignore[no-untyped-def]
    nearest = np.minimum(*(np.hypot(z - axle, y - 0.31) for axle in _AXLES))
    around = np.arctan2(y - 0.31, np.minimum(np.abs(z - _AXLES[0]), np.abs(z - _AXLES[1])))
    outside = np.abs(x) > _HALF_WIDTH - 0.22
    fill((nearest < 0.325) & outside, linear(22, 22, 23), 0.0)
    fill((nearest < 0.20) & outside, linear(120, 122, 126), 0.12)
    fill((nearest < 0.16) & outside & (np.sin(around * 5) > 0.35), linear(40, 40, 42), 0.02)
