"""What stands about and is not a person: cars, lamps, posts, bins, cones, dogs, and vents."""

from __future__ import annotations

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.people import TURN, limb, oval
from models.training.scenes.view import Colour, Material, Shape, View, colour

Points = np.ndarray
Parts = list[tuple[Points, Material]]

PAINTS = [colour(code) for code in ("e8e8e6", "c6c8ca", "8d9196", "3a3d42", "15171a", "6f1519",
                                    "b5231f", "1f3a6b", "2d6a8a", "d8c9a0", "41523f")]  # fmt: skip
PROFILES: tuple[tuple[tuple[float, float], ...], ...] = (
    # (z, y) in metres from the rear bumper over the roof to the front bumper
    ((0.0, 0.35), (0.02, 0.8), (0.35, 0.95), (0.95, 1.42), (2.5, 1.45), (3.2, 0.98), (4.25, 0.82),
     (4.35, 0.35)),
    ((0.0, 0.35), (0.0, 0.95), (0.25, 1.55), (2.9, 1.62), (3.5, 1.0), (4.15, 0.9), (4.25, 0.35)),
    ((0.0, 0.4), (0.0, 1.1), (0.12, 1.98), (4.0, 2.0), (4.6, 1.15), (4.85, 1.0), (4.9, 0.4)),
)  # fmt: skip
GLASS_RUNS = ((2, 4), (1, 3), (1, 3))
"""segments of a profile that are the rear window and the windscreen"""


def car(
    rng: np.random.Generator, view: View, climate: Climate, x: float, z: float, away: bool,
    parked: bool,
) -> tuple[list[Shape], list[tuple[float, float, float, Colour]]]:  # fmt: skip
    """Return a car whose near end is at z, and its lights as (x, y, z, colour)."""
    style = int(rng.choice(len(PROFILES), p=[0.5, 0.3, 0.2]))
    profile = np.array(PROFILES[style])
    glass_rear, glass_front = GLASS_RUNS[style]
    half = 0.85 if style < 2 else 0.92
    if not away:
        profile = np.stack([profile[-1, 0] - profile[::-1, 0], profile[::-1, 1]], 1)
        last = len(profile) - 2
        glass_rear, glass_front = last - glass_front, last - glass_rear
    paint = PAINTS[int(rng.integers(len(PAINTS)))]
    driven = not parked or rng.random() < 0.3
    sunny = climate.warming * (0.7 if float(np.mean(paint)) < 0.2 else 0.35)
    body = climate.air + sunny + float(rng.uniform(-1, 2))
    engine = body + (float(rng.uniform(10, 22)) if driven else 0.0)
    tyre = Material(colour("121212"), climate.air + (float(rng.uniform(8, 22)) if driven else 2.0))
    glass = Material((0.035, 0.042, 0.05), climate.air - 2.0)
    dark = Material(colour("101113"), climate.air + (12 if driven else 1))

    def quad(first: Points, second: Points, shrink: float, material: Material) -> Shape:
        wide = half * (0.86 if max(first[1], second[1]) > 1.2 else 1.0) * shrink
        places = [
            (x - wide, first[1], z + first[0]),
            (x + wide, first[1], z + first[0]),
            (x + wide, second[1], z + second[0]),
            (x - wide, second[1], z + second[0]),
        ]
        return Shape(view.project(places), material)  # fmt: skip

    shapes = []
    low = profile[:, 1].min()
    shadow = [(x - half, 0.01, z + 0.1), (x + half, 0.01, z + 0.1),
              (x + half, 0.01, z + 4.2), (x - half, 0.01, z + 4.2)]  # fmt: skip
    heat_below = climate.air + climate.stored + (9 if driven else 1)
    shapes.append(Shape(view.project(shadow), Material((0.02, 0.02, 0.022), heat_below)))
    for place in (-1, 1):
        wheel = [(x + place * (half - 0.12) + d, y, z + 0.55) for d, y in
                 ((-0.11, 0), (0.11, 0), (0.11, 0.6), (-0.11, 0.6))]  # fmt: skip
        shapes.append(Shape(view.project(wheel), tyre))
    front_end = 0 if not away else len(profile) - 2
    for index in sorted(range(len(profile) - 1), key=lambda i: -profile[i : i + 2, 0].mean()):
        first, second = profile[index], profile[index + 1]
        rising = (second[1] - first[1]) / max(second[0] - first[0], 0.05)
        if rising < -0.3 and view.eye < 2.5:
            continue
        lightness = 0.75 if rising > 1.5 else 1.0
        warm = engine if abs(index - front_end) <= 1 else body
        rgb = tuple(part * lightness for part in paint)
        shapes.append(quad(first, second, 1.0, Material(rgb, warm)))  # type: ignore[arg-type]
        if index in (glass_rear, glass_front):
            shapes.append(
                quad(first * 0.92 + second * 0.08, first * 0.1 + second * 0.9, 0.88, glass)
            )
    shapes += _car_side(view, profile, x, z, half, Material(paint, body), glass, tyre)
    near = profile[0, 0]
    plate = [(x + dx, y, z + near - 0.01) for dx, y in ((-0.26, .5), (.26, .5), (.26, .63), (-.26, .63))]  # noqa: E501  # fmt: skip
    shapes.append(Shape(view.project(plate), Material((0.6, 0.6, 0.55), body)))
    corners = ((-half, -0.1), (half, -0.1), (half, 0.12), (-half, 0.12))
    under = [(x + dx, low + dy, z + near) for dx, dy in corners]
    shapes.insert(-1, Shape(view.project(under), dark))
    lamps: list[tuple[float, float, float, Colour]] = []
    shines = climate.night and driven
    hue: Colour = (1.0, 0.05, 0.03) if away else (1.0, 0.93, 0.75)
    power = (2.5 if away else 25.0) if shines else 0.0
    face = Material(hue if away else (0.75, 0.75, 0.72), body + 4, power)
    for place in (-1, 1):
        centre = x + place * (half - 0.2)
        disc = [(centre + 0.13 * np.cos(a), 0.72 + 0.09 * np.sin(a), z - 0.02) for a in TURN]
        shapes.append(Shape(view.project(disc), face))
        if shines:
            lamps.append((centre, 0.7, z - 0.8, tuple(0.4 * power * h for h in hue)))  # type: ignore[arg-type]
    return shapes, lamps


def _car_side(
    view: View, profile: Points, x: float, z: float, half: float, body: Material, glass: Material,
    tyre: Material,
) -> list[Shape]:  # fmt: skip
    inner = x - half if x > 0 else x + half
    if abs(x) < half:
        return []
    roof = inner - np.sign(inner - x) * 0.1

    def on(places: Points, lift: float = 0.0) -> Points:
        across = np.where(places[:, 1] > 1.1, roof, inner)
        return view.project(np.stack([across, places[:, 1] + lift, z + places[:, 0]], 1))

    shade = tuple(part * 0.8 for part in body.rgb)
    shapes = [Shape(on(profile), Material(shade, body.heat))]  # type: ignore[arg-type]
    top = profile[profile[:, 1] > 0.93]
    if len(top) >= 3:
        middle = top.mean(0)
        shapes.append(Shape(on((top - middle) * [0.86, 0.72] + middle + [0, 0.01]), glass))
        post = np.array([(middle[0] - 0.05, 0.95), (middle[0] + 0.05, 0.95),
                         (middle[0] + 0.05, 1.38), (middle[0] - 0.05, 1.38)])  # fmt: skip
        shapes.append(Shape(on(post), Material(shade, body.heat)))  # type: ignore[arg-type]
    for hub in (0.85, profile[-1, 0] - 0.85):
        shapes.append(Shape(on(oval((hub, 0.32), 0.33, 0.33)), tyre))
        shapes.append(Shape(on(oval((hub, 0.32), 0.19, 0.19)),
                            Material((0.3, 0.3, 0.31), tyre.heat - 3)))  # fmt: skip
    return shapes


def lamp_post(climate: Climate, high: float) -> Parts:
    """Return a street lamp."""
    pole = Material(colour("4c5054"), climate.air + 1)
    head = Material((1.0, 0.86, 0.6), climate.air + (18 if climate.night else 3),
                    30.0 if climate.night else 0.0)  # fmt: skip
    return [(limb((0, 0), (0, high), 0.08, 0.05), pole),
            (limb((0, high), (0.5, high + 0.12), 0.04, 0.05), pole),
            (limb((0.35, high + 0.08), (0.75, high + 0.08), 0.06, 0.05), head)]  # fmt: skip


def sign_post(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a traffic sign: round, square or a triangle."""
    pole = Material(colour("8d9196"), climate.air + 0.5)
    hue = [colour(code) for code in ("1f4fa0", "c02026", "e8e4da", "2b7a3d")][int(rng.integers(4))]
    face = Material(hue, climate.air - 1.5)
    rim = Material(colour("e9e9e6"), climate.air - 1.5)
    corners = int(rng.choice([3, 4, 16]))
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + (np.pi / 4 if corners == 4 else
                                                                 np.pi / 2)  # fmt: skip
    plate = np.stack([np.cos(turn), np.sin(turn)], 1)
    return [(limb((0, 0), (0, 2.6), 0.035, 0.03), pole), (plate * 0.36 + [0, 2.45], rim),
            (plate * 0.3 + [0, 2.45], face)]  # fmt: skip


def bollard(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a bollard, a traffic cone, a bin or a switch box that is a little warm."""
    kind = int(rng.integers(4))
    stone = Material(colour("8f8c86"), climate.air + climate.stored)
    if kind == 0:
        return [(limb((0, 0.05), (0, 0.8), 0.08, 0.08), stone)]
    if kind == 1:
        red, white = (
            Material(colour("c8401f"), climate.air),
            Material(colour("e8e4da"), climate.air),
        )
        # fmt: off
        return [(np.array([(-0.2, 0), (0.2, 0), (0.2, 0.05), (-0.2, 0.05)]), red),
                (np.array([(-0.14, 0.05), (0.14, 0.05), (0.03, 0.7), (-0.03, 0.7)]), red),
                (np.array([(-0.09, 0.3), (0.09, 0.3), (0.06, 0.45), (-0.06, 0.45)]), white)]
        # fmt: on
    if kind == 2:
        bin_ = Material(colour("2f4a3a"), climate.air + 0.5)
        return [(np.array([(-0.25, 0), (0.25, 0), (0.3, 0.95), (-0.3, 0.95)]), bin_),
                (limb((-0.27, 1.0), (0.27, 1.0), 0.06, 0.06), bin_)]  # fmt: skip
    box = Material(colour("77827d"), climate.air + 6)
    grille = Material(colour("3f4643"), climate.air + 14)
    return [(np.array([(-0.4, 0), (0.4, 0), (0.4, 1.35), (-0.4, 1.35)]), box),
            (np.array([(-0.3, 1.0), (0.3, 1.0), (0.3, 1.2), (-0.3, 1.2)]), grille)]  # fmt: skip


def dog(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a dog, seen from the side: as warm as a person and no person."""
    fur = Material([colour(code) for code in ("2a1d14", "8a6a45", "d9d0c0", "151515")][
        int(rng.integers(4))], climate.of_cloth(0.45))  # fmt: skip
    face = Material(fur.rgb, climate.of_skin() - 2)
    legs = [(limb((u, 0.32), (u + float(rng.uniform(-0.07, 0.07)), 0.03), 0.045, 0.025), fur)
            for u in (-0.26, -0.2, 0.2, 0.26)]  # fmt: skip
    side = float(rng.choice([-1, 1]))
    parts = [*legs, (limb((-0.25, 0.42), (0.25, 0.44), 0.13, 0.14), fur),
             (limb((-0.33, 0.48), (-0.48, 0.62), 0.025, 0.012), fur),
             (limb((0.28, 0.5), (0.38, 0.64), 0.08, 0.07), fur),
             (limb((0.4, 0.66), (0.54, 0.62), 0.075, 0.035), face),
             (limb((0.36, 0.72), (0.33, 0.6), 0.03, 0.03), fur)]  # fmt: skip
    return [(points * [side, 1], material) for points, material in parts]


def tree(rng: np.random.Generator, climate: Climate) -> tuple[Parts, float, float]:
    """Return a tree, the height of its crown's middle and the crown's radius."""
    high, radius = float(rng.uniform(5, 10)), float(rng.uniform(1.7, 3.4))
    bark = Material(colour("4a3b2d"), climate.air + 1.2 + 0.2 * climate.warming)
    parts: Parts = [(limb((0, 0), (float(rng.uniform(-0.2, 0.2)), high - radius * 0.4),
                          0.09 + radius * 0.06, 0.08), bark)]  # fmt: skip
    for _ in range(3):
        tip = (
            float(rng.uniform(-0.7, 0.7)) * radius,
            high + float(rng.uniform(-0.6, 0.4)) * radius,
        )
        parts.append((limb((0, high - radius), tip, 0.08, 0.03), bark))
    hue = [colour(code) for code in ("55702f", "46652f", "6d7f35", "8a8036", "a8742c", "3d5a35")][
        int(rng.choice(6, p=[0.25, 0.25, 0.2, 0.1, 0.08, 0.12]))
    ]
    parts += leaves(rng, climate, hue, (0.0, high), radius, radius * 0.85, 110)
    return parts, high, radius


def leaves(
    rng: np.random.Generator, climate: Climate, hue: Colour, middle: tuple[float, float],
    across: float, up: float, count: int,
) -> Parts:  # fmt: skip
    """Return clumps of leaves that fill an oval, dark below and behind, bright above and before."""
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    u, v = reach * np.cos(angle) * across, reach * np.sin(angle) * up
    size = rng.uniform(0.1, 0.24, count) * min(across, up)
    light = 0.55 + 0.45 * np.linspace(0, 1, count) + 0.3 * v / up + rng.normal(0, 0.1, count)
    warm = climate.air - 0.5 + rng.normal(0, 0.5, count)
    # A few tones are enough, and fewer materials are quicker to paint.
    tones = np.round(np.clip(light, 0.25, 1.5) * 8) / 8
    parts: Parts = []
    for index in range(count):
        rgb = tuple(part * float(tones[index]) for part in hue)
        material = Material(rgb, float(np.round(warm[index] * 2) / 2))  # type: ignore[arg-type]
        centre = (middle[0] + float(u[index]), middle[1] + float(v[index]))
        ragged = oval(centre, float(size[index]), float(size[index]) * 0.85)
        parts.append((ragged + rng.normal(0, 0.16 * size[index], ragged.shape), material))
    return parts


def bush(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a bush."""
    wide, high = float(rng.uniform(0.6, 1.8)), float(rng.uniform(0.4, 0.85))
    hue = [colour(code) for code in ("4d6a2c", "3f5f30", "5f7438")][int(rng.integers(3))]
    return leaves(rng, climate, hue, (0.0, high * 0.85), wide, high, 70)
