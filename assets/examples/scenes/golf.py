"""A golf ball in the grass, in late sunlight."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from scenes import distance as sd
from scenes.distance import Array, Point
from scenes.grass import beside_sphere, blades
from scenes.noise import fractal_noise, mix, ramp, smooth_step
from scenes.splat import draw
from scenes.tracer import Camera, Light, Picture, Solid, Surface, find, grain, linear, shade

CENTRE = (0.30, 0.80, 5.3)
"""of the ball, whose radius is the unit"""
_DIMPLES = 352
_SUN = np.array((-0.62, 0.60, -0.52), np.float32)
_SUN /= np.linalg.norm(_SUN)


def _dimple_axes() -> Array:
    index = np.arange(_DIMPLES) + 0.5
    polar = np.arccos(1 - 2 * index / _DIMPLES)
    around = np.pi * (1 + 5**0.5) * index
    axes = [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)]
    return np.stack(axes, -1).astype(np.float32)


def _ball_surface(p: Point, normal: Array) -> Surface:
    axes = _dimple_axes()
    cosine, nearest = np.empty(len(normal), np.float32), np.empty(len(normal), int)
    for start in range(0, len(normal), 50_000):
        part = normal[start : start + 50_000] @ axes.T
        nearest[start : start + 50_000] = part.argmax(1)
        cosine[start : start + 50_000] = part.max(1)
    angle = np.arccos(np.clip(cosine, -1, 1))
    edge = 0.088
    outward = normal - axes[nearest] * cosine[:, None]
    outward /= np.maximum(sd.length(*outward.T), 1e-6)[:, None]
    # A bowl: the slope grows from the middle and falls to nothing at a rounded rim.
    slope = 0.62 * (angle / edge) * (1 - smooth_step(edge * 0.82, edge * 1.12, angle))
    bowl = 1 - smooth_step(edge * 0.5, edge * 1.1, angle)
    base = np.array(linear(246, 245, 240), np.float32) * (1 - 0.10 * bowl[:, None])
    smudge = fractal_noise(*(c * 3.1 for c in p), octaves=4, seed=8)
    base = mix(
        base, np.array(linear(196, 190, 160)), (0.35 * smooth_step(0.62, 0.8, smudge))[:, None]
    )
    near_grass = smooth_step(0.75, 0.1, p[1])
    return Surface(base, gloss=0.05, bump=-slope[:, None] * outward, light=1 - 0.55 * near_grass)


def _ground_surface(p: Point, normal: Array) -> Surface:
    patch = fractal_noise(p[0] * 1.3, p[2] * 1.3, octaves=5, seed=2)
    colour = ramp(linear(32, 52, 14), linear(62, 82, 26), patch)
    return Surface(colour * 1.2, light=0.5 + 0.5 * smooth_step(8, 14, p[2]))


def _behind(rays: Array) -> Array:
    """Return the far meadow, a row of trees and an evening sky, all out of focus."""
    up, side = rays[:, 1], rays[:, 0] / np.maximum(rays[:, 2], 0.1)
    crowns = 0.10 + 0.12 * fractal_noise(side * 6 + 3, side * 0, octaves=3, seed=6)
    warm, blue = np.array(linear(250, 224, 178)), np.array(linear(136, 172, 208))
    sky = mix(warm, blue, smooth_step(0.05, 0.34, up - 0.10 * side)[:, None])
    clumps = fractal_noise(side * 13, up * 22, octaves=2, seed=4)
    deep, sunny = np.array(linear(30, 50, 30)), np.array(linear(116, 128, 66))
    trees = mix(deep, sunny, (clumps**1.3 * (0.55 - 0.5 * side))[:, None].clip(0, 1))
    colour = mix(trees, sky, smooth_step(-0.035, 0.035, up - crowns)[:, None])
    near, far = np.array(linear(88, 112, 50)), np.array(linear(164, 166, 92))
    meadow = mix(far, near, smooth_step(0.0, -0.12, up)[:, None])
    colour = mix(meadow, colour, smooth_step(-0.015, 0.02, up)[:, None])
    for centre, height, size, strength in _bokeh():
        away = np.hypot(side - centre, up - height)
        disc = 1 - smooth_step(size * 0.85, size, away)
        colour = colour + (disc * strength)[:, None] * np.array((1.0, 0.86, 0.5))
    return colour.astype(np.float32)


def _bokeh() -> Array:
    rng = np.random.default_rng(12)
    count = 26
    spots = [rng.uniform(-0.6, 0.6, count), rng.uniform(0.02, 0.17, count)]
    return np.stack([*spots, rng.uniform(0.008, 0.022, count), rng.uniform(0.03, 0.12, count)], -1)


def _grass(light: Light, seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    count = 14_000
    depth = 1.25 + 17 * rng.random(count) ** 2.2
    root = np.stack([rng.uniform(-1, 1, count) * (0.75 * depth + 0.6), np.zeros(count), depth], -1)
    tall = rng.uniform(0.35, 0.80, count) * np.where(depth < 3.4, 0.62, 1)
    # The ball has pressed down what it lies on.
    ball = np.hypot(root[:, 0] - CENTRE[0], root[:, 2] - CENTRE[2])
    tall *= 0.25 + 0.75 * smooth_step(0.75, 1.15, ball)

    def lit(at: Array) -> Array:
        return beside_sphere(at, np.array(CENTRE), _SUN)

    return blades(root, tall, 0.030, 64, light, lit, seed)


def _focused(image: Array, depth: Array, focus: float) -> Array:
    """Return a picture blurred where it is nearer or farther than the focus."""
    blurred_by = np.abs(1 / np.maximum(depth, 0.3) - 1 / focus) * 26 - 0.8
    result = image.astype(np.float32)
    for radius in (1.0, 2.0, 4.0, 7.0):
        share = smooth_step(radius * 0.35, radius, blurred_by)
        # Only what is out of focus spreads; else the sharp ball would have a halo.
        spread = _blur(np.dstack([image * share[..., None], share * 255]), radius)
        layer = spread[..., :3] / np.maximum(spread[..., 3:] / 255, 1 / 64)
        result = mix(result, np.minimum(layer, 255), share[..., None])
    return result


def _blur(image: Array, radius: float) -> Array:
    planes = [Image.fromarray(plane.astype(np.uint8)) for plane in np.moveaxis(image, 2, 0)]
    blurred = [plane.filter(ImageFilter.GaussianBlur(radius)) for plane in planes]
    return np.stack([np.asarray(plane, np.float32) for plane in blurred], -1)


def golf_ball(width: int = 960, height: int = 720, samples: int = 2) -> Array:
    """Return the picture (row, column, 3) in 0..255."""
    light = Light(
        sun=tuple(_SUN),
        sun_colour=(1.75, 1.45, 1.05),
        ambient=(0.34, 0.41, 0.50),
        bounce=(0.12, 0.16, 0.06),
        sky=_behind,
        sun_width=0.01,
    )
    ball = Solid(
        tuple(c - 1.001 for c in CENTRE),
        tuple(c + 1.001 for c in CENTRE),
        lambda p: sd.sphere(p, CENTRE, 1.0),
        _ball_surface,
    )
    ground = Solid((-30, -1, 0), (30, 0, 40), lambda p: p[1], _ground_surface, casts=False)
    picture = Picture(Camera((0, 1.25, 0), 0.0, -0.10, 1.30), width, height, samples, seed=3)
    find(picture, [ball, ground])
    shade(picture, [ball, ground], light, reach=0.8)
    draw(picture, *_grass(light, seed=5))
    rows, columns = height, width
    depth = picture.depth.reshape(rows, samples, columns, samples).min((1, 3))
    return grain(_focused(picture.image(0.95), depth, CENTRE[2] - 0.5), 1.6, seed=1)
