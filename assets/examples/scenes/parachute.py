"""A jumper under a red and white canopy, seen from below."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes import sky
from scenes.distance import Array, Point
from scenes.noise import mix, smooth_step
from scenes.tracer import Camera, Light, Picture, Solid, Surface, find, grain, linear, shade

_CELLS = 15
_ARC = 1.05
"""half of the canopy's span, as an angle seen from the jumper (radians)"""
_LINE = 6.4
"""from the jumper's shoulders to the canopy, metres"""
_SHOULDERS = (0.0, 0.0, 0.0)
_COLOURS = [linear(206, 30, 34), linear(244, 240, 232), linear(250, 176, 32)]
_PATTERN = (0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 1, 1, 0, 0, 0)


def _span(p: Point) -> tuple[Array, Array]:
    """Return (angle along the span, distance from the jumper) of points."""
    return np.arctan2(p[0], p[1]), sd.length(p[0], p[1])


def _canopy(p: Point) -> Array:
    angle, away = _span(p)
    chord = np.clip((p[2] + 1.5) / 3.0, 0, 1)
    # A wing's profile, swollen between the ribs as the air does it.
    phase = (angle / _ARC + 1) / 2 * _CELLS
    swell = np.abs(np.sin(np.pi * phase)) ** 0.7
    tip = np.sqrt(np.clip(1 - (angle / _ARC) ** 4, 0.05, 1))
    profile = np.sqrt(np.clip(1 - chord, 0, 1)) * np.sqrt(chord + 0.04) * 2
    thick = (0.20 + 0.10 * swell) * profile * tip
    middle = _LINE + 0.30 * np.sin(np.pi * np.minimum(chord * 1.2, 1)) + 0.05 * swell
    beyond = np.maximum(np.abs(angle) - _ARC, 0) * _LINE
    ends = np.maximum(np.abs(p[2]) - 1.5 * (0.75 + 0.25 * tip), 0)
    return np.maximum(np.abs(away - middle) - thick, np.maximum(beyond, ends)) * 0.7


def _canopy_surface(p: Point, normal: Array) -> Surface:
    angle, away = _span(p)
    phase = (angle / _ARC + 1) / 2 * _CELLS
    cell = np.clip(phase.astype(int), 0, _CELLS - 1)
    colour = np.array(_COLOURS, np.float32)[np.array(_PATTERN)[cell]]
    seam = smooth_step(0.0, 0.05, np.abs(phase - np.round(phase)))
    stripe = smooth_step(0.94, 0.97, np.abs(p[2]) / 1.5)
    colour = colour * (0.72 + 0.28 * seam)[:, None] * (1 - 0.3 * stripe)[:, None]
    # Nylon lets light through: the underside glows.
    under = (away < _LINE + 0.2).astype(np.float32)
    return Surface(colour, gloss=0.02, glow=colour * (0.42 * under)[:, None])


def _lines(p: Point) -> Array:
    """Return the distance to the lines; the left half mirrors the right."""
    q = (np.abs(p[0]), p[1], p[2])
    nearest = np.full(p[0].shape, 9.0, np.float32)
    for row, z in enumerate((-1.2, -0.3, 0.6, 1.3)):
        for angle in np.linspace(0.07, _ARC * 0.97, 5):
            top = (np.sin(angle) * _LINE, np.cos(angle) * _LINE, z)
            foot = (0.22, 0.55, 0.05 * row - 0.1)
            nearest = np.minimum(nearest, sd.capsule(q, foot, top, 0.007))
        nearest = np.minimum(nearest, sd.capsule(q, (0.17, 0.0, 0), (0.22, 0.55, 0), 0.022))
    return nearest


def _jumper(p: Point) -> Array:
    q = (np.abs(p[0]), p[1], p[2])
    torso = sd.box(p, (0, -0.28, 0), (0.20, 0.32, 0.13), 0.1)
    pack = sd.box(p, (0, -0.22, 0.20), (0.17, 0.26, 0.10), 0.06)
    head = sd.sphere(p, (0, 0.22, 0), 0.145)
    arm = sd.union(
        sd.capsule(q, (0.22, -0.02, 0), (0.40, 0.18, -0.08), 0.065),
        sd.capsule(q, (0.40, 0.18, -0.08), (0.29, 0.48, -0.04), 0.052),
    )
    leg = sd.union(
        sd.capsule(q, (0.11, -0.58, 0), (0.17, -0.98, -0.16), 0.095, 0.08),
        sd.capsule(q, (0.17, -0.98, -0.16), (0.15, -1.40, 0.06), 0.075, 0.06),
        sd.capsule(q, (0.15, -1.43, 0.06), (0.15, -1.46, -0.12), 0.065),
    )
    return sd.union(sd.blend(torso, leg, 0.06), pack, head, arm)


def _jumper_surface(p: Point, normal: Array) -> Surface:
    colour = np.tile(np.array(linear(36, 48, 92), np.float32), (len(normal), 1))
    helmet = p[1] > 0.10
    arms = (np.abs(p[0]) > 0.24) & (p[1] > -0.1)
    hands = arms & (p[1] > 0.42)
    stripes = (np.abs(np.abs(p[0]) - 0.10) < 0.03) & (p[1] > -0.6) & ~helmet
    colour[p[1] < -1.36] = linear(24, 22, 22)
    colour[(p[2] > 0.12) & (p[1] > -0.5)] = linear(30, 30, 34)
    colour[stripes] = linear(210, 200, 60)
    colour[helmet & ~arms] = linear(236, 236, 238)
    colour[arms] = linear(196, 32, 36)
    colour[hands] = linear(206, 160, 130)
    return Surface(colour, gloss=0.03)


def _above(rays: Array) -> Array:
    blue = sky.gradient(rays, linear(186, 208, 228), linear(52, 106, 176), top=0.8)
    bright, dark = (0.92, 0.93, 0.93), (0.50, 0.54, 0.61)
    return sky.with_clouds(rays, blue * 0.85, bright, dark, cover=0.5, scale=1.5, seed=21)


def parachute(width: int = 960, height: int = 720, samples: int = 2) -> Array:
    """Return the picture (row, column, 3) in 0..255."""
    sun = np.array((0.55, 0.62, -0.56))
    light = Light(
        sun=tuple(sun / np.linalg.norm(sun)),
        sun_colour=(1.9, 1.8, 1.6),
        ambient=(0.42, 0.52, 0.70),
        bounce=(0.30, 0.31, 0.30),
        sky=_above,
    )
    solids = [
        Solid((-6.6, 2.6, -1.6), (6.6, 7.3, 1.6), _canopy, _canopy_surface, steps=160, caution=0.5),
        Solid((-5.8, -0.1, -1.4), (5.8, 6.7, 1.5), _lines, lambda p, n: Surface(mix(
            np.zeros((len(n), 3)), 1.0, 0.5)), casts=False, steps=140),
        Solid((-0.5, -1.6, -0.3), (0.5, 0.6, 0.35), _jumper, _jumper_surface),
    ]  # fmt: skip
    camera = Camera((-4.2, -6.8, -12.5), 0.36, 0.62, 1.12)
    picture = Picture(camera, width, height, samples, seed=3)
    find(picture, solids)
    shade(picture, solids, light, reach=0.3)
    return grain(picture.image(0.9), 1.4, seed=1)
