"""Cars: a side view drawn out to a body, from behind or from the front, cold or with warm parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.people import RING, oval
from models.training.scenes.view import Colour, Lamp, Material, Shape, View, colour

PAINTS = [colour(code) for code in ("e8e8e6", "c6c8ca", "8d9196", "3a3d42", "15171a", "6f1519",
                                    "b5231f", "1f3a6b", "2d6a8a", "d8c9a0", "41523f")]  # fmt: skip
TYRE, RUBBER = colour("121212"), colour("101113")
PROFILES = (
    # (z, y) in metres from the rear bumper over the roof to the front bumper
    ((0.0, 0.35), (0.02, 0.8), (0.35, 0.95), (0.95, 1.42), (2.5, 1.45), (3.2, 0.98), (4.25, 0.82),
     (4.35, 0.35)),
    ((0.0, 0.35), (0.0, 0.95), (0.25, 1.55), (2.9, 1.62), (3.5, 1.0), (4.15, 0.9), (4.25, 0.35)),
    ((0.0, 0.4), (0.0, 1.1), (0.12, 1.98), (4.0, 2.0), (4.6, 1.15), (4.85, 1.0), (4.9, 0.4)),
)  # fmt: skip
"""a saloon, a hatchback and a van"""
GLASS = ((2, 4), (1, 3), (1, 3))
"""segments of each profile that are the rear window and the windscreen"""


@dataclass(frozen=True)
class Car:
    """One car, its near end at z, and what it is made of."""

    x: float
    z: float
    half: float
    """metres from the middle to the side"""
    away: bool
    """whether it drives away from the camera"""
    profile: np.ndarray
    glass: tuple[int, int]
    paint: Colour
    driven: bool
    body: float
    """degrees Celsius"""
    engine: float
    tyres: float


def car(
    rng: np.random.Generator, climate: Climate, x: float, z: float, away: bool, parked: bool
) -> Car:
    """Return a car; some that are parked have only just arrived and are still warm."""
    style = int(rng.choice(len(PROFILES), p=[0.5, 0.3, 0.2]))
    profile, glass = np.array(PROFILES[style]), GLASS[style]
    if not away:
        profile = np.stack([profile[-1, 0] - profile[::-1, 0], profile[::-1, 1]], 1)
        glass = (len(profile) - 2 - glass[1], len(profile) - 2 - glass[0])
    paint = PAINTS[int(rng.integers(len(PAINTS)))]
    driven = not parked or bool(rng.random() < 0.3)
    sunny = climate.warming * (0.7 if float(np.mean(paint)) < 0.2 else 0.35)
    body = climate.air + sunny + float(rng.uniform(-1, 2))
    engine = body + (float(rng.uniform(6, 16)) if driven else 0.0)
    tyres = climate.air + (float(rng.uniform(6, 18)) if driven else 2.0)
    half = 0.92 if style == 2 else 0.85
    return Car(x, z, half, away, profile, glass, paint, driven, body, engine, tyres)


def shapes(one: Car, view: View, climate: Climate) -> list[Shape]:
    """Return what is seen of a car, from far to near."""
    drawn = _underneath(one, view, climate)
    bonnet = 0 if not one.away else len(one.profile) - 2
    segments = range(len(one.profile) - 1)
    for index in sorted(segments, key=lambda i: -one.profile[i : i + 2, 0].mean()):
        first, second = one.profile[index], one.profile[index + 1]
        rise = (second[1] - first[1]) / max(second[0] - first[0], 0.05)
        if rise < -0.3 and view.eye < 2.5:
            continue
        light = 0.72 if rise > 1.5 else 0.88 if rise > 0.3 else 1.0
        warm = one.engine if abs(index - bonnet) <= 1 else one.body
        drawn.append(_across(one, view, first, second, 1.0, Material(_dim(one.paint, light), warm)))
        if index in one.glass:
            low, high = first * 0.92 + second * 0.08, first * 0.1 + second * 0.9
            drawn.append(_across(one, view, low, high, 0.88, _pane(climate)))
    return drawn + _side(one, view, climate) + _face(one, view, climate)


def lights(one: Car, climate: Climate) -> list[Lamp]:
    """Return the light that its lamps throw at night."""
    if not (climate.night and one.driven):
        return []
    power = (1.0, 0.05, 0.03) if one.away else (10.0, 9.3, 7.5)
    return [(one.x + side * (one.half - 0.2), 0.7, one.z - 0.8, power) for side in (-1, 1)]


def _dim(paint: Colour, light: float) -> Colour:
    return (paint[0] * light, paint[1] * light, paint[2] * light)


def _pane(climate: Climate) -> Material:
    # Glass mirrors the cold sky.
    return Material((0.035, 0.042, 0.05), climate.air - 2.0)


def _across(
    one: Car, view: View, low: np.ndarray, high: np.ndarray, share: float, material: Material
) -> Shape:
    wide = one.half * (0.86 if max(low[1], high[1]) > 1.2 else 1.0) * share
    narrow = one.half * share * (1.0 if low[1] < 1.2 else 0.86)
    corners = [(-narrow, *low), (narrow, *low), (wide, *high), (-wide, *high)]
    places = np.array([(one.x + dx, y, one.z + dz) for dx, dz, y in corners])
    return Shape(view.project(places), material)


def _underneath(one: Car, view: View, climate: Climate) -> list[Shape]:
    near, far = one.z + 0.1, one.z + one.profile[-1, 0]
    ground = [(one.x - one.half, 0.01, near), (one.x + one.half, 0.01, near),
              (one.x + one.half, 0.01, far), (one.x - one.half, 0.01, far)]  # fmt: skip
    heat = climate.air + climate.stored + (7 if one.driven else 1)
    drawn = [Shape(view.project(np.array(ground)), Material((0.02, 0.02, 0.022), heat))]
    for side in (-1, 1):
        middle = one.x + side * (one.half - 0.12)
        corners = ((-0.11, 0), (0.11, 0), (0.11, 0.6), (-0.11, 0.6))
        wheel = [(middle + dx, y, one.z + 0.55) for dx, y in corners]
        drawn.append(Shape(view.project(np.array(wheel)), Material(TYRE, one.tyres)))
    return drawn


def _side(one: Car, view: View, climate: Climate) -> list[Shape]:
    """Return the long side that faces the camera, if one does."""
    if abs(one.x) < one.half:
        return []
    towards = -float(np.sign(one.x))
    wall = one.x + towards * one.half
    profile = one.profile

    def on(places: np.ndarray) -> np.ndarray:
        across = np.where(places[:, 1] > 1.1, wall - towards * 0.12, wall)
        return view.project(np.stack([across, places[:, 1], one.z + places[:, 0]], 1))

    panel = Material(_dim(one.paint, 0.78), one.body)
    drawn = [Shape(on(profile), panel)]
    sill = np.array([(0.1, 0.42), (profile[-1, 0] - 0.1, 0.42), (profile[-1, 0] - 0.05, 0.3),
                     (0.05, 0.3)])  # fmt: skip
    drawn.append(Shape(on(sill), Material(RUBBER, one.body)))
    top = profile[profile[:, 1] > 0.93]
    middle = top.mean(0)
    drawn.append(Shape(on((top - middle) * (0.86, 0.72) + middle + (0, 0.01)), _pane(climate)))
    post = [
        (middle[0] + dz, y) for dz, y in ((-0.05, 0.95), (0.05, 0.95), (0.05, 1.38), (-0.05, 1.38))
    ]
    drawn.append(Shape(on(np.array(post)), panel))
    for hub in (0.85, float(profile[-1, 0]) - 0.85):
        drawn.append(Shape(on(oval((hub, 0.33), 0.37, 0.37)), Material(RUBBER, one.body)))
        drawn.append(Shape(on(oval((hub, 0.31), 0.31, 0.31)), Material(TYRE, one.tyres)))
        rim = Material((0.32, 0.32, 0.33), one.tyres - 3)
        drawn.append(Shape(on(oval((hub, 0.31), 0.18, 0.18)), rim))
    return drawn


def _face(one: Car, view: View, climate: Climate) -> list[Shape]:
    """Return what is on the near end: bumper, number plate, grille, lamps."""

    def flat(points: np.ndarray) -> np.ndarray:
        depth = np.full(len(points), one.z - 0.02)
        return view.project(np.stack([one.x + points[:, 0], points[:, 1], depth], 1))

    def bar(wide: float, low: float, high: float) -> np.ndarray:
        return flat(np.array([(-wide, low), (wide, low), (wide, high), (-wide, high)]))

    warm = 4 if one.driven else 1
    drawn = [Shape(bar(one.half, 0.24, 0.42), Material(RUBBER, climate.air + warm))]
    if one.away:
        pipe = RING * (0.16, 0.06) + (-0.45 * one.half, 0.28)
        drawn.append(Shape(flat(pipe), Material(RUBBER, climate.air + 4 * warm)))
    if not one.away:
        drawn.append(Shape(bar(0.45, 0.62, 0.8), Material(RUBBER, one.engine + 3)))
    drawn.append(Shape(bar(0.26, 0.48, 0.6), Material((0.6, 0.6, 0.55), one.body)))
    shines = climate.night and one.driven
    hue: Colour = (0.55, 0.03, 0.02) if one.away else (0.8, 0.78, 0.72)
    lamp = Material(hue, one.body + 4, (6.0 if one.away else 40.0) if shines else 0.0)
    for side in (-1, 1):
        disc = RING * (0.14, 0.08) + (side * (one.half - 0.2), 0.74)
        drawn.append(Shape(flat(disc), lamp))
    return drawn
