"""Buildings: walls with windows and shops, lit at night."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.street import Building, Street
from models.training.scenes.texture import between, smooth_noise, stripes
from models.training.scenes.view import Canvas, Colour, Field, Window, colour

BASE = 3.4
"""metres of a shop from the ground to the first floor"""
SIGNS = [colour(code) for code in ("7a2a25", "27406b", "2d5443", "3a3a3c", "b98b3e", "8f8a80")]
WARM = np.array([1.1, 1.0, 0.85], np.float32)
LAMP_LIGHT = np.array([1.0, 0.78, 0.45], np.float32)


class Wall(NamedTuple):
    """A wall as a part of the picture: each pixel's place on it, in metres."""

    window: Window
    along: Field
    up: Field
    wide: Field
    """extent of a pixel along the wall"""
    high: Field
    """extent of a pixel upwards"""
    depth: Field
    sun: float


class Look(NamedTuple):
    """What a wall looks like."""

    rgb: Field
    glow: Field
    heat: Field


def paint_buildings(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the buildings, the farthest first."""
    for building in sorted(street.buildings, key=lambda one: -one.near):
        for wall in (_near_wall(canvas, climate, building), _inner_wall(canvas, climate, building)):
            if wall is not None:
                _paint(canvas, climate, building, wall)


def _inner_wall(canvas: Canvas, climate: Climate, building: Building) -> Wall | None:
    view, inner = canvas.view, building.inner
    near, far = (view.ahead + view.focal * inner / z for z in (building.near, building.far))
    top = view.horizon - view.focal * (building.tall - view.eye) / building.near
    bottom = view.horizon + view.focal * view.eye / building.near
    window = view.box(min(near, far), top, max(near, far), bottom)
    if window is None:
        return None
    x, y = view.columns()[:, window[1]], view.rows()[window[0]]
    away = x - view.ahead
    away = np.where(np.abs(away) < 0.5, np.float32(math.copysign(0.5, inner)), away)
    z = np.clip(view.focal * inner / away, building.near, building.far)
    up = view.eye - (y - view.horizon) * z / view.focal
    # The wall faces the street: it has sun when its own shadow falls away from the street.
    lit = np.sign(inner) * climate.shadow[0] > 0
    sun = min(1.0, abs(climate.shadow[0]) * 0.7) if lit else 0.0
    wide, depth = z**2 / (view.focal * abs(inner)), np.broadcast_to(z, up.shape)
    return Wall(window, z, up, wide, z / view.focal, depth, sun)


def _near_wall(canvas: Canvas, climate: Climate, building: Building) -> Wall | None:
    view, z = canvas.view, building.near
    if z <= 2.0:
        return None
    outer = building.inner + (1 if building.inner > 0 else -1) * building.deep
    ends = [view.ahead + view.focal * place / z for place in (building.inner, outer)]
    top = view.horizon - view.focal * (building.tall - view.eye) / z
    window = view.box(min(ends), top, max(ends), view.horizon + view.focal * view.eye / z)
    if window is None:
        return None
    x, y = view.columns()[:, window[1]], view.rows()[window[0]]
    up = view.eye - (y - view.horizon) * z / view.focal
    pixel = np.full_like(x, z / view.focal)
    depth = np.full((up.size, x.size), z, np.float32)
    sun = 0.85 if climate.shadow[1] > 0.1 else 0.0
    return Wall(window, (x - view.ahead) * pixel, up, pixel, pixel, depth, sun)


def _paint(canvas: Canvas, climate: Climate, building: Building, wall: Wall) -> None:
    share = between(wall.up, 0.0, building.tall, wall.high)
    look = _storeys(climate, building, wall)
    if building.shop:
        look = _shop(climate, building, wall, look)
    share = np.broadcast_to(share, wall.depth.shape)
    canvas.cover(wall.window, share, look.rgb, look.heat, wall.depth, wall.sun, look.glow)


def _storeys(climate: Climate, building: Building, wall: Wall) -> Look:
    pane, bay, floor, tall = building.pane, building.bay, building.floor, building.tall
    base = BASE if building.shop else 0.6
    upper = between(wall.up, base, tall - 0.7, wall.high)
    sill = wall.up - base - 0.25 * floor
    panes = stripes(wall.along, bay, bay * pane, wall.wide) * upper
    panes = panes * stripes(sill, floor, floor * pane, wall.high)
    frames = stripes(wall.along + 0.1, bay, bay * pane + 0.2, wall.wide) * upper
    frames = frames * stripes(sill + 0.1, floor, floor * pane + 0.2, wall.high) - panes
    chance = _table(building.seed)
    floors, bays = np.floor(sill / floor).astype(np.int32), np.floor(wall.along / bay)
    cells = chance[floors & 63, bays.astype(np.int32) & 63]
    stain = smooth_noise(1.0, wall.along / 0.6, wall.up / 0.6, building.seed % 31)
    shade = 1 + 0.05 * stain - 0.3 * between(wall.up, tall - 0.45, tall, wall.high)
    shade = shade - 0.25 * between(wall.up, 0, 0.5, wall.high)
    if building.brick:
        shade = shade - 0.12 * stripes(wall.up, 0.35, 0.06, wall.high)
    rgb = shade[..., None] * np.array(building.wall, np.float32)
    rgb += (np.array([0.4, 0.39, 0.37], np.float32) - rgb) * (0.6 * frames)[..., None]
    mirror = 0.03 + 0.25 * cells**2 * (0.15 if climate.night else 1.0)
    # Half of the windows have a blind, some way down.
    blind = (cells * 7 % 1 > 0.5) * ((sill / floor) % 1 > pane * (cells * 13 % 1))
    blind = blind.astype(np.float32)
    mirror = mirror + 0.12 * blind
    glass = mirror[..., None] * np.array([0.85, 0.95, 1.08], np.float32)
    rgb += (glass - rgb) * panes[..., None]
    lit = panes * (cells < building.lit) * (0.25 + cells * 1.5) * (1 - 0.6 * blind)
    glow = lit[..., None] * LAMP_LIGHT * np.float32(0.5 if climate.night else 0.0)
    heat = climate.air + climate.stored + building.warm + 0.25 * stain
    heat = heat + 0.7 * climate.warming * wall.sun - panes * (1.5 - 2.5 * cells) + 1.5 * lit
    vents = stripes(wall.along + 0.5 * bay, 3 * bay, 0.7, wall.wide) * (cells > 0.9) * upper
    heat = heat + 5 * vents * stripes(sill + 0.9, floor, 0.5, wall.high)
    return Look(rgb, glow, heat)


def _shop(climate: Climate, building: Building, wall: Wall, look: Look) -> Look:
    """Return the look with a shop window and its sign on the ground floor."""
    chance = _table(building.seed + 1)
    front = stripes(wall.along, 4.2, 3.7, wall.wide) * between(wall.up, 0.45, 2.55, wall.high)
    sign = between(wall.up, 2.65, 3.3, wall.high)
    shelf = np.floor(wall.up / 0.42).astype(np.int32) & 63
    goods = chance[shelf, np.floor(wall.along / 0.28).astype(np.int32) & 63]
    # Goods on shelves that cannot be told apart from afar.
    goods = 0.5 + (goods - 0.5) / (1 + 4 * wall.wide)
    inside = 0.1 + 0.22 * goods * (1 - 0.35 * np.cos(wall.up * 2.4))
    hue = np.array(SIGNS[building.seed % len(SIGNS)], np.float32)
    letters = stripes(wall.along, 0.34, 0.2, wall.wide) * between(wall.up, 2.85, 3.12, wall.high)
    letters = letters * (np.sin(wall.along * 0.9) > 0.2).astype(np.float32)
    board = hue + (np.float32(0.75) - hue) * letters[..., None]
    rgb = look.rgb + (inside[..., None] * WARM - look.rgb) * front[..., None]
    rgb = rgb + (board - rgb) * sign[..., None]
    open_ = climate.night and building.seed % 3 > 0
    light: Colour = (1.3, 1.05, 0.7) if open_ else (0.04, 0.035, 0.03)
    shine = (front * inside * 2.2)[..., None] + (0.25 * sign)[..., None] * board
    return Look(rgb, look.glow + shine * np.array(light, np.float32), look.heat + 2.5 * front)


def _table(seed: int) -> Field:
    return np.random.default_rng(seed).random((64, 64)).astype(np.float32)
