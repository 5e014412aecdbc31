"""Signed distances of solids; a point is (x, y, z) arrays in metres, y up, z away from us."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray
Point = tuple[Array, Array, Array]
Triple = tuple[float, float, float]


def length(*parts: Array) -> Array:
    """Return the length of vectors given by their parts."""
    return np.sqrt(sum(part * part for part in parts))


def moved(p: Point, by: Triple) -> Point:
    """Return points as seen from a solid that stands at ``by``."""
    return p[0] - by[0], p[1] - by[1], p[2] - by[2]


def turned(p: Point, angle: float) -> Point:
    """Return points as seen from a solid turned by an angle (radians) about the vertical."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * p[0] - s * p[2], p[1], s * p[0] + c * p[2]


def box(p: Point, centre: Triple, half: Triple, radius: float = 0.0) -> Array:
    """Return the distance to a box with rounded edges."""
    qx, qy, qz = (abs(p[i] - centre[i]) - (half[i] - radius) for i in range(3))
    outside = length(np.maximum(qx, 0), np.maximum(qy, 0), np.maximum(qz, 0))
    return outside + np.minimum(np.maximum(np.maximum(qx, qy), qz), 0) - radius


def sphere(p: Point, centre: Triple, radius: float) -> Array:
    """Return the distance to a sphere."""
    return length(*moved(p, centre)) - radius


def ellipsoid(p: Point, centre: Triple, half: Triple) -> Array:
    """Return about the distance to an ellipsoid."""
    q = moved(p, centre)
    inner = length(*(q[i] / half[i] for i in range(3)))
    outer = length(*(q[i] / half[i] ** 2 for i in range(3)))
    return inner * (inner - 1) / np.maximum(outer, 1e-6)


def capsule(p: Point, a: Triple, b: Triple, radius: float, end: float | None = None) -> Array:
    """Return the distance to a rod with round ends, ``radius`` thick at a and ``end`` at b."""
    along = [b[i] - a[i] for i in range(3)]
    q = moved(p, a)
    t = sum(q[i] * along[i] for i in range(3)) / sum(v * v for v in along)
    t = np.clip(t, 0, 1)
    thick = radius if end is None else radius + (end - radius) * t
    return length(*(q[i] - along[i] * t for i in range(3))) - thick


def cylinder(p: Point, centre: Triple, radius: float, half: float, axis: int = 1) -> Array:
    """Return the distance to a cylinder along an axis (0, 1 or 2)."""
    q = moved(p, centre)
    around = [q[i] for i in range(3) if i != axis]
    radial, axial = length(*around) - radius, abs(q[axis]) - half
    outside = length(np.maximum(radial, 0), np.maximum(axial, 0))
    return outside + np.minimum(np.maximum(radial, axial), 0)


def prism(
    u: Array, v: Array, w: Array, outline: Sequence[tuple[float, float]], half: float
) -> Array:
    """Return about the distance to a convex, counter-clockwise outline (u, v) drawn out in w."""
    farthest = abs(w) - half
    for (u0, v0), (u1, v1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        du, dv = u1 - u0, v1 - v0
        edge = float(np.hypot(du, dv))
        farthest = np.maximum(farthest, ((u - u0) * dv - (v - v0) * du) / edge)
    return farthest


def union(*distances: Array) -> Array:
    """Return the distance to the nearest of some solids."""
    nearest = distances[0]
    for other in distances[1:]:
        nearest = np.minimum(nearest, other)
    return nearest


def blend(a: Array, b: Array, width: float) -> Array:
    """Return the distance to two solids that flow into each other over a width."""
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * h - width * h * (1 - h)


def carve(a: Array, b: Array) -> Array:
    """Return the distance to what is left of a when b is taken away."""
    return np.maximum(a, -b)
