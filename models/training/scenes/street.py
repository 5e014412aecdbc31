"""Where it happens: how the ground is divided, and what is built along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.texture import between
from models.training.scenes.view import Colour, Field, colour


@dataclass(frozen=True)
class Surface:
    """What the ground of one strip is made of."""

    rgb: Colour
    heat: float
    """degrees above the stored warmth of the place"""
    warming: float
    """share of the sun's warming of asphalt"""
    rough: float
    """deviation of its fine texture, as a share of the colour"""
    slab: float = 0.0
    """metres from joint to joint; 0 where there are none"""


ASPHALT = Surface(colour("5d5f61"), 0.5, 1.0, 0.13)
OLD_ASPHALT = Surface(colour("747372"), 0.3, 0.9, 0.16)
PAVING = Surface(colour("a09a90"), 0.0, 0.75, 0.07, 0.9)
BRICKS = Surface(colour("8a6a58"), 0.0, 0.8, 0.08, 0.45)
KERB = Surface(colour("b3b0a8"), 0.2, 0.7, 0.05, 1.0)
GRASS = Surface(colour("5b7537"), -1.5, 0.25, 0.28)
GRAVEL = Surface(colour("a99c84"), 0.0, 0.8, 0.2)
WALLS = [colour(code) for code in ("b9b2a4", "cfc6b4", "8e5a45", "a7735a", "d8d3c8", "8d9094",
                                   "c2a27c", "77706a", "a9b0b3", "e1d8c3", "6d4a3e")]  # fmt: skip


@dataclass(frozen=True)
class Building:
    """A box beside the street, its inner wall at ``inner``, its near wall at ``near``."""

    inner: float
    near: float
    far: float
    deep: float
    """metres that the near wall reaches away from the street"""
    tall: float
    wall: Colour
    floor: float
    """metres from floor to floor"""
    bay: float
    """metres from window to window"""
    pane: float
    """share of a bay and of a floor that is window"""
    shop: bool
    brick: bool
    lit: float
    """share of the windows that are lit at night"""
    seed: int
    warm: float
    """degrees above the stored warmth of the place"""


@dataclass(frozen=True)
class Street:
    """The layout of a place."""

    edges: tuple[float, ...]
    """metres x at which one strip of the ground ends and the next begins"""
    strips: tuple[Surface, ...]
    road: tuple[float, float]
    """metres x between which cars drive; equal where there are none"""
    walks: tuple[tuple[float, float], ...]
    """metres x between which people walk"""
    buildings: tuple[Building, ...]
    crossing: float | None
    """metres z of a zebra crossing"""
    lamps: tuple[tuple[float, float, float], ...]
    """places (x, y, z) of street lamps"""
    manholes: tuple[tuple[float, float], ...]
    """places (x, z)"""
    seed: int
    """of what is drawn by chance later: clouds and far trees"""


def street(rng: np.random.Generator, people: int) -> Street:
    """Return a place: a street, a path through a park, or a square, which suits many people."""
    few, many = (0.5, 0.25, 0.25), (0.35, 0.15, 0.5)
    kind = str(rng.choice(["street", "path", "square"], p=few if people < 12 else many))
    edges, strips, road, walks, walls = _strips(rng, kind)
    buildings = _row(rng, walls[0], -1, kind) + _row(rng, walls[1], 1, kind) + _end(rng, walls)
    side = edges[1] - 0.3 if rng.random() < 0.5 else edges[-2] + 0.3
    start, gap = float(rng.uniform(6, 18)), float(rng.uniform(14, 30))
    both = rng.random() < 0.5
    lamps = tuple(
        (-side if both and index % 2 else side, 5.5, start + index * gap) for index in range(4)
    )
    crossing = float(rng.uniform(9, 26)) if kind == "street" and rng.random() < 0.4 else None
    manholes = tuple(
        (float(rng.uniform(edges[0], edges[-1])), float(rng.uniform(4, 25)))
        for _ in range(int(rng.integers(0, 4)))
    )
    seed = int(rng.integers(1 << 16))
    return Street(edges, strips, road, walks, tuple(buildings), crossing, lamps, manholes, seed)


def _strips(
    rng: np.random.Generator, kind: str
) -> tuple[
    tuple[float, ...],
    tuple[Surface, ...],
    tuple[float, float],
    tuple[tuple[float, float], ...],
    tuple[float, float],
]:
    """Return edges, strips, road, walks, and where walls stand on either side."""
    if kind == "street":
        left, right = -float(rng.uniform(2.5, 6)), float(rng.uniform(2.5, 6))
        outer_left = left - float(rng.uniform(1.6, 4.5))
        outer_right = right + float(rng.uniform(1.6, 4.5))
        side = PAVING if rng.random() < 0.6 else BRICKS
        verge = GRASS if rng.random() < 0.4 else side
        tar = ASPHALT if rng.random() < 0.6 else OLD_ASPHALT
        return (
            (outer_left, left - 0.18, left, right, right + 0.18, outer_right),
            (verge, side, KERB, tar, KERB, side, verge),
            (left, right),
            ((outer_left, left), (right, outer_right), (left, right)),
            (outer_left, outer_right),
        )
    half = float(rng.uniform(2, 4.5) if kind == "path" else rng.uniform(7, 16))
    ground = (ASPHALT, GRAVEL, PAVING, BRICKS)[int(rng.integers(4))]
    verge = GRASS if kind == "path" else ground
    return (
        (-half - 0.15, -half, half, half + 0.15),
        (verge, KERB, ground, KERB, verge),
        (0.0, 0.0),
        ((-half, half),),
        (-half - float(rng.uniform(0.5, 5)), half + float(rng.uniform(0.5, 5))),
    )


def _row(rng: np.random.Generator, inner: float, side: int, kind: str) -> list[Building]:
    place = float(rng.uniform(-4, 16))
    built = {"street": 0.75, "path": 0.3, "square": 0.6}[kind]
    row = []
    while place < 130:
        length = float(rng.uniform(9, 30))
        if rng.random() < built:
            wall = inner + side * float(rng.uniform(0, 2.5))
            row.append(_building(rng, wall, max(place, 1.0), length, 14, int(rng.integers(2, 8))))
        place += length + (float(rng.uniform(3, 14)) if rng.random() < 0.4 else 0.0)
    return row


def _end(rng: np.random.Generator, walls: tuple[float, float]) -> list[Building]:
    """Return what closes the view: nothing, a building across the street, or far towers."""
    chance = rng.random()
    if chance < 0.25:
        return [_building(rng, walls[0] - 12, float(rng.uniform(70, 130)), 10, -90, 5)]
    if chance < 0.65:
        return [
            _building(rng, float(rng.uniform(-90, 90)), float(rng.uniform(150, 260)), 15,
                      float(rng.uniform(12, 26)), int(rng.integers(10, 24)))
            for _ in range(int(rng.integers(1, 5)))
        ]  # fmt: skip
    return []


def _building(
    rng: np.random.Generator, inner: float, near: float, length: float, deep: float, storeys: int
) -> Building:
    storey = float(rng.uniform(2.9, 3.8))
    return Building(
        inner=inner,
        near=near,
        far=near + length,
        deep=deep,
        tall=storey * storeys + 0.8,
        wall=WALLS[int(rng.integers(len(WALLS)))],
        floor=storey,
        bay=float(rng.uniform(1.6, 4.2)),
        pane=float(rng.uniform(0.4, 0.75)),
        shop=bool(rng.random() < 0.45 and near < 70),
        brick=bool(rng.random() < 0.4),
        lit=float(rng.uniform(0, 0.5)) ** 1.5,
        seed=int(rng.integers(1 << 16)),
        warm=float(rng.uniform(-0.5, 1.5)),
    )


def in_shade(street: Street, climate: Climate, x: Field, z: Field) -> Field:
    """Return 1 where a building keeps the sun off the ground, else 0, blurred by half a metre."""
    shade = np.zeros(np.broadcast_shapes(x.shape, z.shape), np.float32)
    across, along = climate.shadow
    for building in street.buildings:
        side = float(np.sign(building.inner))
        reach = building.inner + across * building.tall
        if side * across >= 0 or building.near > 120 or not climate.warming:
            continue
        middle = along * 0.5 * building.tall
        within = between(z, building.near + middle, building.far + middle, 0.6)
        shade = np.maximum(shade, np.clip(0.5 + (x - reach) * side / 0.5, 0, 1) * within)
    return shade
