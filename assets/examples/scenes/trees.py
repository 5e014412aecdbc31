"""Trees along a street: a trunk that branches, and leaves as very many discs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Triple
from scenes.noise import fractal_noise, mix
from scenes.tracer import Solid, Surface, linear

BARK = linear(92, 78, 62)


@dataclass(frozen=True)
class Tree:
    """Discs that make up a tree, and a solid that only throws its shadow."""

    wood: tuple[Array, Array, Array]
    """centres (n, 3), radii (n), colours (n, 3) before light"""
    leaves: tuple[Array, Array, Array]
    outward: Array
    """normals (n, 3) of the leaves"""
    deep: Array
    """how far inside the crown each leaf is, 0..1"""
    shadow: Solid


def tree(
    at: Triple, tall: float, seed: int, fresh: Triple, dark: Triple, leaves: int = 44_000
) -> Tree:
    """Return a tree of a height, with leaves between two colours (linear)."""
    rng = np.random.default_rng(seed)
    segments = _branch(rng, np.array(at), np.array((0.0, 1.0, 0.0)), tall * 0.36, tall * 0.020, 0)
    tips = np.array([end for _, end, radius in segments if radius < tall * 0.0075])
    centre = np.array((at[0], at[1] + tall * 0.66, at[2]))
    half = np.array((0.30, 0.33, 0.30)) * tall
    clump = tips[rng.integers(len(tips), size=leaves)]
    scatter = rng.normal(0, 1, (leaves, 3))
    leaf = clump + scatter * tall * 0.046
    outward = (
        scatter / np.linalg.norm(scatter, axis=1, keepdims=True) + (leaf - centre) / half * 0.8
    )
    outward += rng.normal(0, 0.5, (leaves, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    deep = np.clip(1.1 - np.linalg.norm((leaf - centre) / half, axis=1), 0, 1)
    hue = (
        rng.random((leaves, 1)) * 0.7
        + 0.3 * rng.random((len(tips), 1))[rng.integers(len(tips), size=leaves)]
    )
    colour = mix(np.array(dark), np.array(fresh), hue)
    radius = rng.uniform(0.5, 1.0, leaves) * 0.038
    return Tree(
        _rods(segments, rng),
        (leaf, radius, colour),
        outward,
        deep,
        _shade(at, centre, half, tall, seed),
    )


Segment = tuple[Array, Array, float]


def _branch(
    rng: np.random.Generator, start: Array, along: Array, long: float, radius: float, level: int
) -> list[Segment]:
    end = start + along * long
    segments = [(start, end, radius)]
    if level < 5:
        for _ in range(2 if level else 4):
            spread = rng.normal(0, 1, 3) * (0.62, 0.30, 0.62)
            turned = along + spread + (0, 0.08, 0)
            turned /= np.linalg.norm(turned)
            shorter = long * rng.uniform(0.62, 0.84)
            segments += _branch(rng, end, turned, shorter, radius * 0.66, level + 1)
    return segments


def _rods(segments: list[Segment], rng: np.random.Generator) -> tuple[Array, Array, Array]:
    at, radii, colours = [], [], []
    for start, end, radius in segments:
        count = int(np.linalg.norm(end - start) / max(radius * 0.5, 0.02)) + 2
        t = np.linspace(0, 1, count)[:, None]
        at.append(start + (end - start) * t)
        radii.append(radius * (1 - 0.25 * t[:, 0]))
        colours.append(np.tile(np.array(BARK) * rng.uniform(0.8, 1.1), (count, 1)))
    return np.concatenate(at), np.concatenate(radii), np.concatenate(colours)


def _shade(at: Triple, centre: Array, half: Array, tall: float, seed: int) -> Solid:
    """Return what stops the sun: a trunk and a crown with holes."""

    def distance(p: sd.Point) -> Array:
        crown = sd.ellipsoid(p, tuple(centre), tuple(half * 0.95))
        holes = (fractal_noise(*(c * 2.6 for c in p), octaves=2, seed=seed) - 0.52) * 1.4
        trunk = sd.capsule(p, at, (at[0], at[1] + tall * 0.5, at[2]), tall * 0.02)
        return sd.union(np.maximum(crown, -holes), trunk) * 0.6

    low, high = centre - half, centre + half
    return Solid(
        (low[0], at[1], low[2]), tuple(high), distance,
        lambda p, normal: Surface(normal * 0), seen=False, steps=40,
    )  # fmt: skip
