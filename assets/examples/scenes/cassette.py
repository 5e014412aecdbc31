"""A portable cassette player from the eighties on a wooden table."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Point, Triple
from scenes.noise import cell_random, fractal_noise, mix, ramp, smooth_step
from scenes.tracer import Camera, Light, Picture, Solid, Surface, find, grain, linear, shade

_WIDE, _HIGH, _DEEP = 2.55, 1.30, 0.42
"""halves, in decimetres"""
_SPEAKER_X, _SPEAKER_Y, _SPEAKER = 1.66, 1.08, 0.70
_TURN = 0.24
_SILVER, _BLACK = linear(176, 178, 182), linear(24, 25, 27)


def _local(p: Point) -> Point:
    return sd.turned(p, _TURN)


def _distance(p: Point) -> Array:
    x, y, z = _local(p)
    side = np.abs(x)
    front = z + _DEEP
    body = sd.box((x, y, z), (0, _HIGH, 0), (_WIDE, _HIGH, _DEEP), 0.10)
    around = sd.length(side - _SPEAKER_X, y - _SPEAKER_Y)
    ring = sd.length(around - _SPEAKER, front) - 0.055
    dish = np.maximum(around - (_SPEAKER - 0.04), np.abs(front) - 0.05)
    door = sd.box((x, y, front), (0, 0.86, -0.03), (0.78, 0.56, 0.06), 0.04)
    window = sd.box((x, y, front), (0, 0.95, -0.09), (0.52, 0.24, 0.035), 0.02)
    dial = sd.box((x, y, front), (0, 2.10, 0.0), (2.25, 0.17, 0.04), 0.02)
    shape = sd.union(sd.carve(sd.carve(body, dish), dial), ring, sd.carve(door, window))
    grille = np.maximum(around - (_SPEAKER - 0.03), np.abs(front - 0.03) - 0.02)
    keys = [
        sd.box((x, y, z), (k * 0.27, 2 * _HIGH + 0.04, -0.20), (0.115, 0.09, 0.13), 0.03)
        for k in range(-3, 3)
    ]
    knob_at = (2.1, 2 * _HIGH + 0.05, -0.02)
    knobs = sd.cylinder((side, y, z), knob_at, 0.16, 0.12)
    return sd.union(shape, grille, *keys, knobs, _handle(x, y, z))


def _handle(x: Array, y: Array, z: Array) -> Array:
    p = (np.abs(x), y, z)
    post = sd.capsule(p, (2.38, 2.35, 0.12), (2.30, 3.22, 0.12), 0.085)
    bar = sd.box((x, y, z), (0, 3.25, 0.12), (2.32, 0.10, 0.12), 0.09)
    return sd.blend(post, bar, 0.10)


def _aerial(p: Point) -> Array:
    q = _local(p)
    rods = [
        sd.capsule(q, (2.2, 2.55, 0.34), (3.0, 4.1, 0.34), 0.035),
        sd.capsule(q, (3.0, 4.1, 0.34), (3.45, 4.98, 0.34), 0.022),
        sd.sphere(q, (3.46, 5.0, 0.34), 0.05),
    ]
    return sd.union(*rods)


def _surface(p: Point, normal: Array) -> Surface:
    x, y, z = _local(p)
    side, front = np.abs(x), z + _DEEP
    around = sd.length(side - _SPEAKER_X, y - _SPEAKER_Y)
    count = len(x)
    brushed = 0.94 + 0.10 * fractal_noise(x * 1.2, y * 60, z * 60, octaves=3, seed=3)
    colour = np.array(_SILVER) * brushed[:, None]
    gloss = np.full(count, 0.09, np.float32)
    glow = np.zeros((count, 3), np.float32)

    def fill(where: Array, value: Triple, shine: float = 0.04) -> None:
        colour[where], gloss[where] = value, shine

    flat = front < 0.09
    fill((y < 0.20) | (np.abs(y - 2.34) < 0.035), _BLACK)
    cone = (around < _SPEAKER - 0.02) & flat
    holes = _perforation(side - _SPEAKER_X, y - _SPEAKER_Y)
    fill(cone, linear(66, 68, 72), 0.02)
    fill(cone & holes, linear(12, 12, 13), 0.0)
    fill((np.abs(around - _SPEAKER) < 0.075) & (front < 0.07) & ~cone, linear(206, 208, 210), 0.16)
    fill((around < 0.14) & flat, linear(150, 152, 156), 0.14)
    door = (side < 0.79) & (np.abs(y - 0.86) < 0.57) & (front < 0.02)
    fill(door, linear(40, 41, 44), 0.06)
    _tape(x, y, door & (side < 0.525) & (np.abs(y - 0.95) < 0.245), fill)
    fill(door & (np.abs(y - 0.45) < 0.035) & (side < 0.5), linear(196, 198, 200), 0.08)
    dial = (np.abs(y - 2.10) < 0.165) & (side < 2.245) & (front < 0.12) & (front > 0.02)
    fill(dial, linear(20, 22, 24), 0.12)
    ticks = dial & ((x * 7.5) % 1 < 0.10) & (np.abs(np.abs(y - 2.10) - 0.07) < 0.028)
    fill(ticks, linear(210, 214, 206), 0.0)
    needle = dial & (np.abs(x - 0.62) < 0.022)
    glow[needle] = (1.0, 0.16, 0.06)
    lamp = (sd.length(x - 1.02, y - 1.55) < 0.045) & flat
    glow[lamp] = (1.6, 0.10, 0.05)
    for number, stripe in enumerate(
        (linear(196, 62, 44), linear(222, 150, 52), linear(74, 110, 130))
    ):
        fill((np.abs(y - 1.64 + 0.07 * number) < 0.022) & (np.abs(x) < 0.66) & flat, stripe)
    keys = (y > 2 * _HIGH + 0.005) & (z < -0.05) & (side < 1.0)
    fill(keys, linear(44, 45, 48), 0.06)
    fill(keys & (x < -0.66), linear(170, 30, 28), 0.06)
    fill(
        (y > 2 * _HIGH + 0.005) & (side > 1.85) & (y < 2.8) & (side < 2.3) & (z < 0.2),
        linear(60, 61, 64),
        0.12,
    )
    fill((y > 2.85) & (side < 2.3), _BLACK, 0.05)
    return Surface(colour.astype(np.float32), gloss, glow)


def _perforation(a: Array, b: Array) -> Array:
    pitch = 0.062
    row = np.round(b / (pitch * 0.866))
    across = a / pitch + 0.5 * (row % 2)
    return sd.length((across - np.round(across)) * pitch, b - row * pitch * 0.866) < 0.019


def _tape(x: Array, y: Array, inside: Array, fill) -> None:  # type: ignore[no-untyped-def]
    fill(inside, linear(226, 218, 196), 0.10)
    fill(inside & (np.abs(y - 1.13) < 0.045), linear(196, 84, 44), 0.10)
    fill(inside & (np.abs(x) < 0.40) & (np.abs(y - 0.93) < 0.115), linear(34, 30, 28), 0.14)
    for centre, wound in ((-0.24, 0.165), (0.24, 0.10)):
        away = sd.length(x - centre, y - 0.93)
        fill(inside & (away < wound), linear(66, 44, 34), 0.10)
        fill(inside & (away < 0.065), linear(232, 232, 230), 0.05)
        teeth = np.sin(np.arctan2(y - 0.93, x - centre) * 6) > 0
        fill(inside & (away < 0.045) & (teeth | (away < 0.025)), linear(40, 40, 42), 0.0)


def _table(p: Point, normal: Array) -> Surface:
    x, _, z = p
    plank = np.floor(z / 2.6)
    shift = cell_random(plank, seed=1) * 40
    rings = fractal_noise(x * 0.25 + shift, z * 2.2, octaves=3, seed=2) * 9
    grain_ = 0.5 + 0.5 * np.sin(rings * 2 * np.pi * 0.7 + z * 3)
    fine = fractal_noise(x * 1.5, z * 40, octaves=3, seed=3)
    tone = ramp(linear(112, 66, 36), linear(176, 116, 68), 0.55 * grain_ + 0.45 * fine)
    tone = tone * (0.82 + 0.3 * cell_random(plank, seed=4))[:, None]
    gap = np.abs(z / 2.6 - np.round(z / 2.6)) < 0.008
    return Surface((tone * (1 - 0.7 * gap)[:, None]).astype(np.float32), gloss=0.035)


def _wall(p: Point, normal: Array) -> Surface:
    x, y, _ = p
    paper = 0.92 + 0.10 * fractal_noise(x * 1.1, y * 1.1, octaves=5, seed=6)
    away = np.hypot((x + 2.0) / 9.5, (y - 4.2) / 6.0)
    pool = 1.05 - 0.60 * smooth_step(0.1, 1.25, away)
    return Surface((np.array(linear(172, 184, 176)) * (paper * pool)[:, None]).astype(np.float32))


def _room(rays: Array) -> Array:
    """Return what mirrors in metal and glass: a bright window in a dim room."""
    dim = mix(
        np.array((0.10, 0.10, 0.11)),
        np.array((0.46, 0.46, 0.46)),
        np.clip(rays[:, 1:2] * 0.8 + 0.3, 0, 1),
    )
    window = smooth_step(0.10, 0.2, rays[:, 1]) * smooth_step(-0.9, -0.6, rays[:, 0])
    window = window * smooth_step(0.25, -0.35, rays[:, 0])
    return (dim + window[:, None] * np.array((1.3, 1.35, 1.4))).astype(np.float32)


def cassette_player(width: int = 960, height: int = 720, samples: int = 2) -> Array:
    """Return the picture (row, column, 3) in 0..255."""
    sun = np.array((-0.52, 0.66, -0.54))
    light = Light(
        sun=tuple(sun / np.linalg.norm(sun)),
        sun_colour=(1.30, 1.20, 1.02),
        ambient=(0.42, 0.44, 0.47),
        bounce=(0.22, 0.17, 0.13),
        sky=_room,
        sun_width=0.055,
    )
    black = np.array(linear(190, 192, 196), np.float32)
    solids = [
        Solid((-3.0, -0.05, -1.4), (3.0, 3.5, 1.4), _distance, _surface, steps=150, caution=0.9),
        Solid((-4.2, 2.3, -1.4), (4.2, 5.2, 1.4), _aerial,
              lambda p, n: Surface(np.tile(black, (len(n), 1)), 0.25), steps=120),
        Solid((-40, -1, -20), (40, 0, 5.2), lambda p: p[1], _table, casts=False),
        Solid((-40, -1, 5.1), (40, 30, 5.2), lambda p: 5.15 - p[2], _wall, casts=False),
    ]  # fmt: skip
    picture = Picture(Camera((-0.5, 2.7, -9.4), 0.05, -0.085, 1.42), width, height, samples, seed=5)
    find(picture, solids)
    shade(picture, solids, light, reach=0.7)
    return grain(picture.image(0.78), 1.5, seed=1)
