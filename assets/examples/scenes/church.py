"""A small white church with a steeple on a green hill."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes import sky
from scenes.distance import Array, Point
from scenes.grass import blades
from scenes.noise import cell_random, fractal_noise, mix, paint, ramp, smooth_step
from scenes.splat import draw, leaf_light
from scenes.tracer import Camera, Light, Picture, Solid, Surface, find, grain, linear, shade, sunlit
from scenes.trees import Tree, tree

_WHITE = linear(236, 234, 228)
_ROOF = linear(116, 92, 84)
_SLATE = linear(88, 92, 100)
_HALF, _LONG, _EAVES, _RIDGE = 4.2, 13.0, 4.6, 8.4
"""of the nave: half its width, its length, and how high walls and roof are"""
_TOWER, _TOP, _SPIRE = 1.75, 10.6, 19.5
"""of the tower: half its width, where its walls end and where its spire ends"""
_PLACE, _TURN = (2.6, 0.0, 30.0), -0.52


def _local(p: Point) -> Point:
    return sd.turned(sd.moved(p, _PLACE), _TURN)


def _nave(p: Point) -> Array:
    outline = [(-_HALF, 0.0), (_HALF, 0.0), (_HALF, _EAVES), (0.0, _RIDGE), (-_HALF, _EAVES)]
    return sd.prism(p[0], p[1], p[2] - _LONG / 2, outline, _LONG / 2)


def _roof(p: Point) -> Array:
    slope = (_RIDGE - _EAVES) / _HALF
    over = p[1] - (_RIDGE + 0.18 - slope * np.abs(p[0]))
    shell = np.abs(over) / np.sqrt(1 + slope**2) - 0.10
    return np.maximum(
        np.maximum(shell, np.abs(p[0]) - _HALF - 0.45), np.abs(p[2] - _LONG / 2) - _LONG / 2 - 0.35
    )


def _tower(p: Point) -> Array:
    walls = sd.box(p, (0, _TOP / 2, -0.6), (_TOWER, _TOP / 2, _TOWER))
    bands = [sd.box(p, (0, y, -0.6), (_TOWER + 0.16, 0.10, _TOWER + 0.16)) for y in (7.3, _TOP)]
    return sd.union(walls, *bands)


def _spire(p: Point) -> Array:
    up = (p[1] - _TOP) / (_SPIRE - _TOP)
    half = (_TOWER - 0.15) * (1 - up)
    x, z = np.abs(p[0]), np.abs(p[2] + 0.6)
    eight = np.maximum(np.maximum(x, z), (x + z) * 0.75)
    return np.maximum((eight - half) * 0.95, _TOP - p[1])


def _cross(p: Point) -> Array:
    upright = sd.box(p, (0, _SPIRE + 0.55, -0.6), (0.05, 0.75, 0.05))
    return sd.union(upright, sd.box(p, (0, _SPIRE + 0.75, -0.6), (0.34, 0.05, 0.05)))


def _distance(p: Point) -> Array:
    q = _local(p)
    steps = sd.box(q, (0, 0.15, -2.7), (1.5, 0.16, 0.7))
    return sd.union(_nave(q), _roof(q), _tower(q), _spire(q), _cross(q), steps)


def _pointed(a: Array, v: Array, half: float, low: float, high: float) -> Array:
    """Return about the distance to a pointed arch window in its wall (a across, v up)."""
    spring = high - half * 1.5
    straight = np.maximum(np.abs(a) - half, np.maximum(low - v, v - spring))
    arch = np.maximum(np.hypot(np.abs(a) + half, v - spring) - 2 * half, spring - v)
    return np.minimum(straight, arch)


def _surface(p: Point, normal: Array) -> Surface:
    x, y, z = _local(p)
    c, s = np.cos(_TURN), np.sin(_TURN)
    facing_x = c * normal[:, 0] - s * normal[:, 2]
    board = y / 0.16 - np.floor(y / 0.16)
    tone = 0.93 + 0.10 * fractal_noise(x * 0.8 + z * 0.8, y * 1.4, octaves=4, seed=3)
    tone = (
        tone * (1 - 0.30 * (board < 0.14)) * (0.96 + 0.06 * cell_random(np.floor(y / 0.16), seed=2))
    )
    colour = np.array(_WHITE) * tone[:, None]
    on_roof = (np.minimum(_roof((x, y, z)), 9) < 0.02) & (y > _EAVES - 0.6)
    row = np.floor((_RIDGE - y) / 0.24)
    tile = cell_random(np.floor(z / 0.32 + 0.5 * (row % 2)), row, seed=7)
    shingle = np.array(_ROOF) * (0.72 + 0.5 * tile)[:, None]
    colour = np.where(on_roof[:, None], shingle, colour)
    on_spire = (y > _TOP + 0.12) & (np.hypot(x, z + 0.6) < _TOWER * 1.5)
    slate = cell_random(np.floor(y / 0.22), np.floor(np.arctan2(x, z + 0.6) * 9), seed=9)
    colour = np.where(on_spire[:, None], np.array(_SLATE) * (0.78 + 0.4 * slate)[:, None], colour)
    colour[y > _SPIRE - 0.3] = linear(190, 170, 90)
    gloss = np.zeros(len(x), np.float32)
    on_side = (np.abs(facing_x) > 0.8) & (np.abs(x) > _HALF - 0.1)
    bay = (z - 0.4) % 2.9 - 1.45
    in_tower = (np.abs(x) <= _TOWER + 0.05) & (z < -_TOWER - 0.5)
    on_tower_side = (
        (np.abs(facing_x) > 0.8) & (np.abs(x) > _TOWER - 0.05) & (np.abs(x) < _TOWER + 0.05)
    )
    holes = [
        (on_side, bay, 0.42, 1.3, 3.7),
        (in_tower, x, 0.75, 0.3, 3.3),
        (in_tower, x, 0.36, 4.6, 6.6),
        (in_tower, x, 0.55, 8.0, 10.0),
        (on_tower_side, z + 0.6, 0.55, 8.0, 10.0),
        (on_tower_side, z + 0.6, 0.36, 4.6, 6.6),
    ]
    for wall, across, half, low, high in holes:
        away = _pointed(across, y, half, low, high)
        inside = wall & (away < 0)
        colour = paint(colour, linear(248, 248, 244), wall & (away < 0.13))
        bars = (np.abs(across) < 0.03) | ((y * 2.2) % 1 < 0.07)
        door = high == 3.3
        pane = linear(120, 40, 34) if door else linear(26, 32, 40)
        colour = paint(colour, pane, inside & (door | ~bars) & (away < -0.04))
        gloss = np.where(inside & (not door), 0.2, gloss)
    return Surface(colour.astype(np.float32), gloss)


def _hill(p: Point) -> Array:
    away = np.hypot(p[0] - _PLACE[0], p[2] - _PLACE[2] - 4)
    rise = 1.2 * smooth_step(26, 9, away) + 0.5 * np.sin(p[0] * 0.06 + 1) * smooth_step(
        12, 40, away
    )
    return (p[1] + 1.2 - rise) * 0.8


def _meadow(p: Point, normal: Array) -> Surface:
    x, _, z = p
    patch = fractal_noise(x * 0.25, z * 0.16, octaves=5, seed=12)
    near = np.clip(1.4 - z / 30, 0.1, 1)
    blades = (fractal_noise(x * 9, z * 4, octaves=3, seed=13) - 0.5) * near
    colour = ramp(linear(66, 88, 40), linear(132, 140, 76), patch + blades * 0.8)
    q = _local(p)
    path = smooth_step(1.15, 0.75, np.abs(q[0] + 0.5 * np.sin(q[2] * 0.25))) * (q[2] < -1)
    gravel = (
        np.array(linear(196, 180, 148))
        * (0.8 + 0.3 * fractal_noise(x * 6, z * 6, octaves=3, seed=14))[:, None]
    )
    return Surface(mix(colour, gravel, path[:, None]).astype(np.float32))


def _above(rays: Array) -> Array:
    blue = sky.gradient(rays, linear(206, 222, 236), linear(52, 112, 186), top=0.62)
    return sky.with_clouds(rays, blue, (0.96, 0.96, 0.95), (0.62, 0.66, 0.74), 0.30, 1.25, seed=5)


def _plant(picture: Picture, trees: list[Tree], blockers: list[Solid], light: Light) -> None:
    sun = np.array(light.sun, np.float32)
    for one in trees:
        at, radius, colour = (a.astype(np.float32) for a in one.wood)
        draw(picture, at, radius, colour * np.array(light.ambient, np.float32) * 1.3)
        leaf, size, green = (a.astype(np.float32) for a in one.leaves)
        lit = sunlit(blockers, leaf, np.broadcast_to(sun, leaf.shape)) * np.clip(
            1.15 - one.deep, 0.1, 1
        )
        received = leaf_light(one.outward.astype(np.float32), light, lit, thin=0.5)
        draw(picture, leaf, size, green * received * (1 - 0.4 * one.deep)[:, None])


def _grass(light: Light) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(31)
    count = 34_000
    depth = 3.2 + 24 * rng.random(count) ** 1.5
    x, z = rng.uniform(-0.55, 0.55, count) * depth, depth
    away = np.hypot(x - _PLACE[0], z - _PLACE[2] - 4)
    rise = 1.2 * smooth_step(26, 9, away) + 0.5 * np.sin(x * 0.06 + 1) * smooth_step(12, 40, away)
    root = np.stack([x, rise - 1.25, z], -1)
    tall = rng.uniform(0.08, 0.24, count)
    at, width, colour = blades(root, tall, 0.012, 30, light, lambda at: np.ones(at.shape[:2]), 32)
    # Seen from this far a meadow shows more of its lit tips than of the dark between.
    return at, width, mix(colour, np.array(linear(150, 158, 84)), 0.55)


def church(width: int = 720, height: int = 960, samples: int = 2) -> Array:
    """Return the picture (row, column, 3) in 0..255."""
    sun = np.array((-0.72, 0.58, -0.50))
    light = Light(
        sun=tuple(sun / np.linalg.norm(sun)),
        sun_colour=(1.85, 1.70, 1.42),
        ambient=(0.36, 0.44, 0.56),
        bounce=(0.16, 0.19, 0.09),
        sky=_above,
        haze=(0.66, 0.74, 0.82),
        haze_per_metre=0.0012,
        sun_width=0.005,
    )
    house = Solid((-12, -0.3, 22), (17, 21.5, 47), _distance, _surface, steps=140, caution=0.9)
    hill = Solid((-90, -3, 1), (90, 1.2, 160), _hill, _meadow, casts=False, steps=160)
    fresh, dark = linear(112, 128, 66), linear(50, 70, 38)
    trees = [
        tree((-8.5, -0.6, 38.0), 11.0, 21, fresh, dark, leaves=34_000),
        tree((14.5, -0.9, 42.0), 12.0, 22, fresh, dark, leaves=34_000),
        tree((-14.0, -1.2, 58.0), 10.0, 23, fresh, dark),
        tree((21.0, -1.2, 60.0), 11.0, 24, fresh, dark),
    ]
    solids = [house, hill]
    picture = Picture(Camera((0, 1.1, 2.0), 0.03, 0.17, 1.24), width, height, samples, seed=7)
    everything = [*solids, *(one.shadow for one in trees)]
    find(picture, everything)
    shade(picture, everything, light, reach=0.9)
    draw(picture, *_grass(light))
    _plant(picture, trees, [house], light)
    return grain(picture.image(0.78), 1.6, seed=1)
