"""Where the camera stands, and the canvas on which everything seen from there is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from models.training.scenes.texture import blur, noise, smooth_noise

Colour = tuple[float, float, float]
Field = np.ndarray
Window = tuple[slice, slice]
Lamp = tuple[float, float, float, Colour]
"""place (x, y, z) in metres and power of a light"""

FAR = 1e4
"""depth of the sky, in metres"""
NOBODY = -1


def colour(code: str) -> Colour:
    """Return the linear red, green and blue, 0..1, of a colour written as sRGB hexadecimal."""
    values = [int(code[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return (red, green, blue)


class Material(NamedTuple):
    """What a painted surface is: its colour, how warm it is, and how much it shines itself."""

    rgb: Colour
    """share of light that comes back, linear"""
    heat: float
    """degrees Celsius"""
    glow: float = 0.0
    """own light, in units in which white in the sun is about 1"""


class Shape(NamedTuple):
    """A polygon in pixels of the picture and what it is made of."""

    points: np.ndarray
    material: Material


Parts = Sequence[tuple[np.ndarray, Material]]
"""polygons (corner, 2) in metres, later ones on earlier ones, and what they are made of"""


@dataclass(frozen=True)
class View:
    """A camera over flat ground: x to the right, y up, z ahead, in metres; upright, so that
    vertical lines stay vertical.
    """

    width: int
    """pixels of the picture"""
    height: int
    focal: float
    """pixels"""
    eye: float
    """metres above the ground"""
    ahead: float
    """column towards which the street runs, in pixels"""
    horizon: float
    """row of the horizon, in pixels"""
    margin: tuple[int, int] = (0, 0)
    """pixels (x, y) that are painted beyond each border, for a sense that is shifted"""

    def project(self, points: np.ndarray) -> Float[np.ndarray, "point 2"]:
        """Return pixels (x, y) of places (x, y, z)."""
        x, y, z = points.T
        return np.stack(
            [self.ahead + self.focal * x / z, self.horizon + self.focal * (self.eye - y) / z], 1
        )

    def upright(self, parts: Parts, x: float, z: float) -> list[Shape]:
        """Return parts in metres (u, v), right and up of the place (x, z), as shapes."""
        scale = self.focal / z
        every = np.concatenate([points for points, _ in parts])
        pixels = every * [scale, -scale] + [
            self.ahead + scale * x,
            self.horizon + scale * self.eye,
        ]
        ends = np.cumsum([len(points) for points, _ in parts])[:-1]
        return [
            Shape(places, material)
            for places, (_, material) in zip(np.split(pixels, ends), parts, strict=True)
        ]

    def depth_of(self, metres_high: float, pixels_high: float) -> float:
        """Return how far away something of a height looks so many pixels high."""
        return self.focal * metres_high / pixels_high

    def columns(self) -> Field:
        """Return x of the canvas's columns, in pixels of the picture, as (1, column)."""
        start, count = -self.margin[0], self.width + 2 * self.margin[0]
        return np.arange(start, start + count, dtype=np.float32)[None] + 0.5

    def rows(self) -> Field:
        """Return y of the canvas's rows, in pixels of the picture, as (row, 1)."""
        start, count = -self.margin[1], self.height + 2 * self.margin[1]
        return np.arange(start, start + count, dtype=np.float32)[:, None] + 0.5

    def box(self, left: float, top: float, right: float, bottom: float) -> Window | None:
        """Return the part of the canvas inside a box in pixels of the picture, if there is any."""
        mx, my = self.margin
        x0, x1 = (
            max(int(np.floor(left)) + mx, 0),
            min(int(np.ceil(right)) + mx, self.width + 2 * mx),
        )
        y0, y1 = (
            max(int(np.floor(top)) + my, 0),
            min(int(np.ceil(bottom)) + my, self.height + 2 * my),
        )
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None


class Canvas:
    """What the camera looks at, before light: painted from far to near.

    Args:
        view: the camera.
    """

    def __init__(self, view: View) -> None:
        rows, columns = view.rows().size, view.columns().size
        self.view = view
        self.rgb = np.zeros((rows, columns, 3), np.float32)
        """share of light that comes back, linear"""
        self.glow = np.zeros((rows, columns, 3), np.float32)
        """own light"""
        self.heat = np.zeros((rows, columns), np.float32)
        """degrees Celsius"""
        self.depth = np.full((rows, columns), FAR, np.float32)
        """metres"""
        self.sun = np.zeros((rows, columns), np.float32)
        """how much of the sun arrives, 0..1 and a little more"""
        self.sky = np.ones((rows, columns), np.float32)
        """how much of the sky arrives"""
        self.owner = np.full((rows, columns), NOBODY, np.int16)
        """which person is seen"""

    def cover(
        self,
        window: Window,
        share: Field,
        rgb: np.ndarray | float,
        heat: np.ndarray | float,
        depth: np.ndarray | float,
        sun: np.ndarray | float,
        glow: np.ndarray | float = 0.0,
        owner: int = NOBODY,
    ) -> None:
        """Paint over a window by shares 0..1; all others are values of what is painted."""
        keep = 1 - share
        wide, wide_keep = share[..., None], keep[..., None]
        self.rgb[window] = self.rgb[window] * wide_keep + np.asarray(rgb, np.float32) * wide
        self.glow[window] = self.glow[window] * wide_keep + np.asarray(glow, np.float32) * wide
        self.heat[window] = self.heat[window] * keep + np.asarray(heat, np.float32) * share
        self.sun[window] = self.sun[window] * keep + np.asarray(sun, np.float32) * share
        self.sky[window] = self.sky[window] * keep + share
        opaque = share > 0.5
        self.depth[window] = np.where(opaque, depth, self.depth[window])
        self.owner[window][opaque] = owner

    def paint(
        self,
        shapes: Sequence[Shape],
        depth: float,
        sun: float = 1.0,
        owner: int = NOBODY,
        round_from: float = 0.0,
        grain: float = 0.0,
        ragged: bool = False,
    ) -> float:
        """Paint polygons in their order, with smooth edges.

        Args:
            shapes: polygons; later ones lie on earlier ones.
            depth: how far away, in metres.
            sun: how much of the sun arrives.
            owner: which person it is.
            round_from: side from which light falls on it, -1 left to 1 right, 0 flat.
            grain: deviation of the fine texture, as a share of the colour.
            ragged: whether the outline is broken up, as leaves do.

        Returns:
            How many pixels of the picture it covers.
        """
        every = np.concatenate([shape.points for shape in shapes])
        low, high = every.min(0), every.max(0)
        view = self.view
        window = view.box(low[0] - 1, low[1] - 1, high[0] + 1, high[1] + 1)
        if window is None:
            return 0.0
        share, mixed = self._rasterise(shapes, window, float(high[1] - low[1]))
        rgb, heat, glow = mixed[..., :3], mixed[..., 3], mixed[..., 4:7]
        x, y = view.columns()[:, window[1]], view.rows()[window[0]]
        if ragged:
            leaves = noise(0.4, x * 0.7, y * 0.7, len(shapes))
            share = share * np.clip((blur(share, 1.5) - 0.3 + 0.22 * leaves) * 3, 0, 1)
        if round_from:
            rgb = rgb * _rounding(share, float(high[1] - low[1]), round_from)[..., None]
        if grain:
            rough = noise(0.5, x * 0.6, y * 0.6, owner + 3)
            rgb = rgb * (1 + grain * rough)[..., None]
            heat = heat + 4 * grain * smooth_noise(0.8, x * 0.15, y * 0.15, owner + 5)
        self.cover(window, share, rgb, heat, depth, sun, glow, owner)
        inside = (x > 0) & (x < view.width) & (y > 0) & (y < view.height)
        return float((share * inside).sum())

    def _rasterise(
        self, shapes: Sequence[Shape], window: Window, high: float
    ) -> tuple[Field, Field]:
        scale = 4 if high < 40 else 3 if high < 100 else 2 if high < 320 else 1
        rows, columns = window[0].stop - window[0].start, window[1].stop - window[1].start
        numbers = Image.new("L", (columns * scale, rows * scale))
        draw = ImageDraw.Draw(numbers)
        corner = np.array(
            [window[1].start - self.view.margin[0], window[0].start - self.view.margin[1]]
        )
        known: dict[Material, int] = {}
        for shape in shapes:
            number = known.setdefault(shape.material, len(known) + 1)
            places = (shape.points - corner) * scale - 0.5
            draw.polygon(places.ravel().tolist(), fill=number)
        table = np.zeros((len(known) + 1, 8), np.float32)
        for material, number in known.items():
            glow = [material.glow * part for part in material.rgb]
            table[number] = [*material.rgb, material.heat, *glow, 1]
        drawn = np.asarray(numbers)
        mixed = np.zeros((rows, columns, 8), np.float32)
        for i in range(scale):
            for j in range(scale):
                mixed += table[drawn[i::scale, j::scale]]
        covered = mixed[..., 7]
        mixed = mixed[..., :7] / np.maximum(covered, 1)[..., None]
        return covered / scale**2, mixed


def _rounding(share: Field, high: float, side: float) -> Field:
    """Return a factor that is bright towards one side and dark towards the other."""
    sigma = min(max(0.06 * high, 0.7), 8.0)
    soft = blur(share, sigma)
    slope = np.zeros_like(soft)
    slope[:, 1:-1] = (soft[:, :-2] - soft[:, 2:]) * sigma
    return np.clip(1 + 0.55 * side * slope - 0.1 * np.abs(slope), 0.4, 1.6)
