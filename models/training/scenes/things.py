"""What stands about and is not a person: trees, lamps, signs, bollards, railings, dogs."""

from __future__ import annotations

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.people import RING, Parts, limb
from models.training.scenes.view import Colour, Material, colour

POLE, STONE, GREY = colour("4c5054"), colour("8f8c86"), colour("8d9196")
RED, WHITE = colour("c8401f"), colour("e8e4da")
BIN, BOX, GRILLE, BARK = colour("2f4a3a"), colour("77827d"), colour("3f4643"), colour("4a3b2d")
SIGNS = [colour(code) for code in ("1f4fa0", "c02026", "e8e4da", "2b7a3d")]
FURS = [colour(code) for code in ("2a1d14", "8a6a45", "d9d0c0", "151515")]
GREENS = [colour(code) for code in ("55702f", "46652f", "6d7f35", "3d5a35", "8a8036", "a8742c")]
HEDGES = [colour(code) for code in ("4d6a2c", "3f5f30", "5f7438")]


def _plate(wide: float, low: float, high: float, narrow: float | None = None) -> np.ndarray:
    top = wide if narrow is None else narrow
    return np.array([(-wide, low), (wide, low), (top, high), (-top, high)])


def lamp_post(climate: Climate, high: float, side: float) -> Parts:
    """Return a street lamp whose arm reaches to a side."""
    pole = Material(POLE, climate.air + 1)
    night = climate.night
    head = Material((1.0, 0.86, 0.6) if night else (0.6, 0.6, 0.58),
                    climate.air + (18 if night else 3), 30.0 if night else 0.0)  # fmt: skip
    return [
        (limb((0, 0), (0, high), 0.08, 0.05), pole),
        (limb((0, high), (0.5 * side, high + 0.12), 0.04, 0.05), pole),
        (limb((0.35 * side, high + 0.1), (0.8 * side, high + 0.1), 0.06, 0.05), pole),
        (limb((0.4 * side, high + 0.05), (0.75 * side, high + 0.05), 0.045, 0.045), head),
    ]


def sign_post(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a traffic sign: a triangle, a square or a disc."""
    pole = Material(GREY, climate.air + 0.5)
    face = Material(SIGNS[int(rng.integers(len(SIGNS)))], climate.air - 1.5)
    rim = Material(WHITE, climate.air - 1.5)
    corners = int(rng.choice([3, 4, 16]))
    start = np.pi / 4 if corners == 4 else np.pi / 2
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + start
    plate = np.stack([np.cos(turn), np.sin(turn)], 1)
    return [
        (limb((0, 0), (0, 2.6), 0.035, 0.03), pole),
        (plate * 0.36 + (0, 2.45), rim),
        (plate * 0.3 + (0, 2.45), face),
    ]


def bollard(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a bollard, a traffic cone, a bin, or a switch box that is warm."""
    air = climate.air
    kinds: tuple[Parts, ...] = (
        [(limb((0, 0.05), (0, 0.8), 0.08, 0.08), Material(STONE, air + climate.stored))],
        [
            (_plate(0.2, 0, 0.05), Material(RED, air)),
            (_plate(0.14, 0.05, 0.7, 0.03), Material(RED, air)),
            (_plate(0.09, 0.3, 0.45, 0.06), Material(WHITE, air)),
        ],
        [
            (_plate(0.25, 0, 0.95, 0.3), Material(BIN, air + 0.5)),
            (limb((-0.27, 1.0), (0.27, 1.0), 0.06, 0.06), Material(BIN, air + 0.5)),
        ],
        [
            (_plate(0.4, 0, 1.35), Material(BOX, air + 6)),
            (_plate(0.3, 1.0, 1.2), Material(GRILLE, air + 14)),
        ],
    )
    return kinds[int(rng.choice(len(kinds), p=[0.35, 0.25, 0.2, 0.2]))]


def dog(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a dog, seen from the side: as warm as a person and no person."""
    fur = Material(FURS[int(rng.integers(len(FURS)))], climate.of_cloth(0.45))
    face = Material(fur.rgb, climate.of_skin() - 2)
    parts = [
        (limb((u, 0.32), (u + float(rng.uniform(-0.07, 0.07)), 0.03), 0.045, 0.025), fur)
        for u in (-0.26, -0.2, 0.2, 0.26)
    ]
    parts += [
        (limb((-0.25, 0.42), (0.25, 0.44), 0.13, 0.14), fur),
        (limb((-0.33, 0.48), (-0.48, 0.62), 0.025, 0.012), fur),
        (limb((0.28, 0.5), (0.38, 0.64), 0.08, 0.07), fur),
        (limb((0.4, 0.66), (0.54, 0.62), 0.075, 0.035), face),
        (limb((0.36, 0.72), (0.33, 0.6), 0.03, 0.03), fur),
    ]
    side = float(rng.choice([-1, 1]))
    return [(points * (side, 1), material) for points, material in parts]


def tree(rng: np.random.Generator, climate: Climate) -> tuple[Parts, Parts]:
    """Return a tree's trunk with its branches, and its crown."""
    high, radius = float(rng.uniform(5, 9)), float(rng.uniform(1.7, 3.2))
    bark = Material(BARK, climate.air + 1.2 + 0.2 * climate.warming)
    lean = float(rng.uniform(-0.25, 0.25))
    trunk: Parts = [(limb((0, 0), (lean, high - radius * 0.4), 0.09 + radius * 0.06, 0.08), bark)]
    for _ in range(4):
        reach, up = float(rng.uniform(-0.75, 0.75)), float(rng.uniform(-0.5, 0.5))
        tip = (lean + reach * radius, high + up * radius)
        trunk.append((limb((lean, high - radius), tip, 0.09, 0.03), bark))
    hue = GREENS[int(rng.choice(len(GREENS), p=[0.28, 0.27, 0.2, 0.13, 0.07, 0.05]))]
    return trunk, leaves(rng, climate, hue, (lean, high), radius, radius * 0.85, 130)


def bush(rng: np.random.Generator, climate: Climate) -> Parts:
    """Return a bush."""
    wide, high = float(rng.uniform(0.6, 1.6)), float(rng.uniform(0.35, 0.75))
    hue = HEDGES[int(rng.integers(len(HEDGES)))]
    return leaves(rng, climate, hue, (0.0, high * 0.85), wide, high, 70)


def leaves(
    rng: np.random.Generator,
    climate: Climate,
    hue: Colour,
    middle: tuple[float, float],
    across: float,
    up: float,
    count: int,
) -> Parts:
    """Return clumps of leaves that fill an oval, dark below and behind, bright above and before."""
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    u, v = reach * np.cos(angle), reach * np.sin(angle)
    size = rng.uniform(0.09, 0.22, count) * min(across, up)
    light = 0.5 + 0.45 * np.linspace(0, 1, count) + 0.3 * v + rng.normal(0, 0.1, count)
    # A few tones are enough, and fewer materials are quicker to paint.
    tones = np.round(np.clip(light, 0.25, 1.5) * 8) / 8
    warm = climate.air - 0.8 + np.round(0.8 * light * 4) / 4 * (0.4 + 0.08 * climate.warming)
    centres = np.stack([middle[0] + u * across, middle[1] + v * up], 1)
    ragged = RING[None] * (1, 0.85) + rng.normal(0, 0.16, (count, len(RING), 2))
    clumps = centres[:, None] + ragged * size[:, None, None]
    materials = [
        Material((hue[0] * tone, hue[1] * tone, hue[2] * tone), heat)
        for tone, heat in zip(tones.tolist(), warm.tolist(), strict=True)
    ]
    return list(zip(clumps, materials, strict=True))
