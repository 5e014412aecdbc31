"""Town houses along a street: brick or render, rows of windows, shops on the ground floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Point, Triple
from scenes.noise import cell_random, fractal_noise, paint, ramp, smooth_step
from scenes.tracer import Solid, Surface, linear

STOCK_BRICK = linear(186, 160, 116)
RED_BRICK = linear(146, 84, 64)
RENDER = linear(218, 212, 198)
STONE = linear(196, 186, 162)
_GLASS = linear(20, 24, 28)


@dataclass(frozen=True)
class Front:
    """How a house looks; metres and linear colours."""

    wall: Triple
    brick: bool
    bay: float
    """width of one window with the wall beside it"""
    floor: float
    trim: Triple
    shop: Triple | None
    """colour of the shop on the ground floor, if there is one"""
    seed: int
    lit: float = 0.0
    """share of windows with a lamp behind them"""


def house(x: tuple[float, float], z: tuple[float, float], tall: float, front: Front) -> Solid:
    """Return a house on a plot, with a cornice; the sides that face the street have windows."""
    low, high = (x[0], 0.0, z[0]), (x[1], tall, z[1])
    centre = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
    half = tuple((b - a) / 2 for a, b in zip(low, high, strict=True))
    cornice_at = (centre[0], tall - 0.28, centre[2])

    def distance(p: Point) -> Array:
        body = sd.box(p, centre, half)
        cornice = sd.box(p, cornice_at, (half[0] + 0.22, 0.14, half[2] + 0.02), 0.03)
        return sd.union(body, cornice)

    def surface(p: Point, normal: Array) -> Surface:
        along = np.where(np.abs(normal[:, 0]) > 0.5, p[2] - z[0], p[0] - x[0])
        return _front(along, p[1], p[2], normal, tall, front)

    reach = 0.25
    return Solid(
        (low[0] - reach, 0, low[2] - 0.05),
        (high[0] + reach, tall, high[2] + 0.05),
        distance,
        surface,
    )


def _bricks(u: Array, v: Array, far: Array, front: Front) -> Array:
    row = np.floor(v / 0.078)
    brick = np.floor(u / 0.235 + 0.5 * (row % 2))
    tone = cell_random(brick, row, seed=front.seed)
    joint = (v / 0.078 - row < 0.14) | ((u / 0.235 + 0.5 * (row % 2)) - brick < 0.05)
    # What a pixel cannot hold averages out.
    fine = np.clip(1.3 - far / 22, 0.15, 1)
    colour = np.array(front.wall) * (1 + (tone - 0.5) * 0.36 * fine)[:, None]
    return paint(colour, linear(170, 162, 148), joint * 0.55 * fine)


def _front(u: Array, v: Array, far: Array, normal: Array, tall: float, front: Front) -> Surface:
    stain = fractal_noise(u * 0.35, v * 0.6, octaves=5, seed=front.seed + 1)
    plain = np.tile(np.array(front.wall, np.float32), (len(u), 1))
    wall = _bricks(u, v, far, front) if front.brick else plain
    wall = wall * (0.86 + 0.26 * stain)[:, None]
    wall = wall * (1 - 0.25 * smooth_step(tall - 1.2, tall - 0.2, v))[:, None]
    gloss = np.zeros(len(u), np.float32)
    glow = np.zeros((len(u), 3), np.float32)
    light = np.ones(len(u), np.float32)
    upper = 3.5 if front.shop is not None else 0.5
    wall, gloss, glow, light = _windows(u, v - upper, tall - upper, wall, gloss, glow, light, front)
    if front.shop is not None:
        wall, gloss, glow, light = _shop(u, v, wall, gloss, glow, light, front)
    trim = (v > tall - 0.45) | (np.abs(v - 3.45) < 0.09)
    wall = paint(wall, front.trim, trim * 0.9)
    flat = np.abs(normal[:, 1]) > 0.5
    wall[flat], gloss[flat], glow[flat], light[flat] = front.trim, 0, 0, 1
    return Surface(wall.astype(np.float32), gloss, glow, light=light)


def _windows(u, v, tall, wall, gloss, glow, light, front):  # type: ignore[no-untyped-def]
    column, row = np.floor(u / front.bay), np.floor(v / front.floor)
    a, b = u - (column + 0.5) * front.bay, v - (row + 0.5) * front.floor
    there = (v > 0) & ((row + 1) * front.floor < tall - 0.4)
    half_wide, half_high = min(0.30 * front.bay, 0.62), 0.31 * front.floor
    inside = there & (np.abs(a) < half_wide) & (np.abs(b) < half_high)
    around = (
        there & (np.abs(a) < half_wide + 0.13) & (b < half_high + 0.24) & (b > -half_high - 0.14)
    )
    wall = paint(wall, front.trim, (around & ~inside) * 0.75)
    bars = (np.abs(a) < 0.03) | (np.abs(b) < 0.035)
    edge = (np.abs(a) > half_wide - 0.07) | (np.abs(b) > half_high - 0.07)
    frame = inside & (bars | edge)
    pane = inside & ~frame
    drawn = cell_random(column, row, seed=front.seed + 2)
    curtain = pane & (np.abs(a) > half_wide * (0.30 + 0.6 * drawn))
    wall = paint(wall, linear(232, 230, 222), frame * 1.0)
    wall = paint(wall, _GLASS, pane * 1.0)
    wall = paint(wall, linear(150, 140, 126), curtain * 0.6)
    gloss = np.where(pane, 0.16 + 0.12 * drawn, gloss)
    lamp = pane & (cell_random(column, row, seed=front.seed + 3) < front.lit)
    glow = (
        glow
        + lamp[:, None]
        * np.array((0.72, 0.38, 0.13))
        * (0.25 + 0.75 * drawn * (1 - 0.5 * np.abs(b) / half_high))[:, None]
    )
    # The wall above throws its shadow on a window that stands back in it.
    light = light * (1 - 0.55 * (inside & (b > half_high - 0.20)))
    return wall, gloss, glow, light


def _shop(u, v, wall, gloss, glow, light, front):  # type: ignore[no-untyped-def]
    wide = front.bay * 2
    column = np.floor(u / wide)
    a = u - (column + 0.5) * wide
    low = v < 3.36
    wall = paint(wall, front.shop, low * 1.0)
    door = cell_random(column, seed=front.seed + 4) < 0.35
    bottom = np.where(door, 0.12, 0.62)
    pane = (v > bottom) & (v < 2.62) & (np.abs(a) < wide / 2 - 0.24)
    bars = pane & ((np.abs(np.abs(a) - wide / 6) < 0.035) | (np.abs(v - 2.15) < 0.035))
    board = (v > 2.74) & (v < 3.24)
    letters = board & (np.abs(v - 2.99) < 0.10) & (np.abs(a) < wide * 0.36)
    cell = np.floor(a / 0.105)
    stroke = cell_random(cell, np.floor((v - 2.89) / 0.05), column, seed=front.seed + 5) > 0.42
    letters &= stroke & (cell_random(cell, column, seed=front.seed + 6) > 0.18)
    wall = paint(wall, linear(236, 228, 206), letters * 0.9)
    # Goods in the window: boxes of some sizes, dimmer towards the ceiling.
    boxes = cell_random(np.floor(u / 0.42), np.floor(v / 0.30), seed=front.seed + 7)
    shade = 0.5 * boxes + 0.5 * fractal_noise(u * 2.3, v * 2.6, octaves=3, seed=front.seed + 8)
    things = shade * (1 - 0.6 * smooth_step(1.0, 2.4, v))
    inside = ramp(linear(20, 21, 23), linear(132, 116, 98), (things - 0.25).clip(0, 1))
    wall = np.where((pane & ~bars)[:, None], inside, wall)
    gloss = np.where(pane & ~bars, 0.20, gloss)
    if front.lit:
        glow = (
            glow
            + (pane & ~bars)[:, None]
            * np.array((0.62, 0.36, 0.15))
            * ((0.30 + 0.9 * shade) * (0.45 + 0.22 * v))[:, None]
        )
    light = light * (1 - 0.5 * (pane & (v > 2.35)))
    return wall, gloss, glow, light
