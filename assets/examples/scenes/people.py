"""People on foot and on a bicycle."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Point, Triple
from scenes.tracer import Solid, Surface, linear

SKIN = linear(214, 168, 140)
HAIR = linear(46, 34, 26)


def walker(
    at: Triple, coat: Triple, trousers: Triple, heading: float, stride: float, tall: float = 1.72
) -> Solid:
    """Return a person who walks.

    Args:
        at: the ground below.
        coat: colour of the upper body, linear.
        trousers: colour of the legs, linear.
        heading: direction, radians about the vertical; 0 is away from us.
        stride: how far the legs are apart, -0.35..0.35 metres.
        tall: height in metres.
    """
    scale = np.float32(tall / 1.72)

    def local(p: Point) -> Point:
        q = sd.turned(sd.moved(p, at), heading)
        return q[0] / scale, q[1] / scale, q[2] / scale

    def surface(p: Point, normal: Array) -> Surface:
        _, y, z = local(p)
        colour = np.tile(np.array(coat, np.float32), (len(y), 1))
        colour[y < 0.84] = trousers
        colour[y < 0.09] = linear(24, 20, 18)
        colour[y > 1.45] = SKIN
        colour[(y > 1.45) & ((z < 0.01) | (y > 1.64))] = HAIR
        return Surface(colour)

    reach = 0.55 * tall / 1.72
    low = (at[0] - reach, at[1], at[2] - reach)
    high = (at[0] + reach, at[1] + tall + 0.05, at[2] + reach)
    return Solid(low, high, lambda p: _walking(local(p), stride) * scale, surface)


def _walking(p: Point, stride: float) -> Array:
    legs = [
        sd.union(
            sd.capsule(p, (s * 0.09, 0.86, 0), (s * 0.10, 0.47, s * stride * 0.6), 0.085, 0.065),
            sd.capsule(
                p, (s * 0.10, 0.47, s * stride * 0.6), (s * 0.10, 0.08, s * stride), 0.062, 0.048
            ),
            sd.capsule(p, (s * 0.10, 0.05, s * stride), (s * 0.11, 0.05, s * stride + 0.14), 0.05),
        )
        for s in (-1, 1)
    ]
    arms = [
        sd.union(
            sd.capsule(p, (s * 0.21, 1.38, 0), (s * 0.26, 1.10, -s * stride * 0.4), 0.062, 0.054),
            sd.capsule(
                p,
                (s * 0.26, 1.10, -s * stride * 0.4),
                (s * 0.25, 0.86, -s * stride * 0.7 + 0.1),
                0.05,
                0.04,
            ),
        )
        for s in (-1, 1)
    ]
    torso = sd.box(p, (0, 1.14, 0), (0.20, 0.33, 0.125), 0.11)
    head = sd.ellipsoid(p, (0, 1.60, 0.01), (0.085, 0.12, 0.10))
    neck = sd.capsule(p, (0, 1.42, 0), (0, 1.52, 0), 0.055)
    return sd.union(sd.blend(torso, sd.union(*legs), 0.05), sd.blend(head, neck, 0.03), *arms)


def cyclist(at: Triple, jacket: Triple, away: bool = True) -> Solid:
    """Return a person riding a bicycle along the road, away from us or towards us."""
    sign = np.float32(1 if away else -1)

    def local(p: Point) -> Point:
        x, y, z = sd.moved(p, at)
        return x, y, z * sign

    def surface(p: Point, normal: Array) -> Surface:
        x, y, z = local(p)
        colour = np.tile(np.array(jacket, np.float32), (len(y), 1))
        colour[y < 1.02] = linear(34, 38, 52)
        wheel = np.minimum(np.hypot(y - 0.34, z - 0.52), np.hypot(y - 0.34, z + 0.52))
        colour[(np.abs(x) < 0.05) & ((wheel < 0.40) | (y < 0.70))] = linear(28, 28, 30)
        colour[y > 1.50] = SKIN
        colour[y > 1.62] = linear(220, 222, 226)
        return Surface(colour)

    low, high = (at[0] - 0.4, at[1], at[2] - 1.0), (at[0] + 0.4, at[1] + 1.85, at[2] + 1.0)
    return Solid(low, high, lambda p: _riding(local(p)), surface)


def _riding(p: Point) -> Array:
    x, y, z = p
    wheels = [np.hypot(np.hypot(y - 0.34, z - hub) - 0.32, x) - 0.022 for hub in (-0.52, 0.52)]
    frame = [
        sd.capsule(p, (0, 0.34, -0.52), (0, 0.85, -0.2), 0.02),
        sd.capsule(p, (0, 0.34, 0.0), (0, 0.88, 0.32), 0.02),
        sd.capsule(p, (0, 0.34, 0.52), (0, 1.0, 0.40), 0.02),
        sd.capsule((abs(x), y, z), (0, 1.02, 0.40), (0.26, 1.04, 0.36), 0.018),
    ]
    legs = [
        sd.union(
            sd.capsule(p, (s * 0.10, 0.95, -0.18), (s * 0.13, 0.72 + 0.1 * s, 0.18), 0.085, 0.065),
            sd.capsule(
                p, (s * 0.13, 0.72 + 0.1 * s, 0.18), (s * 0.12, 0.36 + 0.14 * s, -0.02), 0.06, 0.045
            ),
        )
        for s in (-1, 1)
    ]
    torso = sd.capsule(p, (0, 1.0, -0.18), (0, 1.40, 0.06), 0.16, 0.18)
    arms = sd.capsule((abs(x), y, z), (0.20, 1.42, 0.08), (0.25, 1.06, 0.36), 0.058, 0.045)
    head = sd.ellipsoid(p, (0, 1.66, 0.14), (0.095, 0.125, 0.115))
    return sd.union(*wheels, *frame, *legs, torso, arms, head)
