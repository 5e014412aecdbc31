"""Who and what stands where: people on walks and roads, alone and in groups, between things."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.training.scenes import cars, things
from models.training.scenes.climate import Climate
from models.training.scenes.people import Figure, figure, limb, rider
from models.training.scenes.street import Street
from models.training.scenes.view import NOBODY, Lamp, Material, Parts, Shape, View

SMALLEST, TALLEST = 12.0, 230.0
"""heights of people, in pixels of a picture 480 pixels high"""
SHADOW_OF_CAR = np.array([(-0.9, 0.2), (0.9, 0.2), (0.8, 1.4), (-0.8, 1.4)])


@dataclass(frozen=True)
class Item:
    """Something that stands on the ground and is painted by its distance."""

    x: float
    z: float
    shapes: list[Shape]
    outline: tuple[np.ndarray, ...]
    """polygons in metres (u, v), for its shadow"""
    foot: float
    """metres that it covers on the ground to either side"""
    grain: float = 0.06
    ragged: bool = False
    owner: int = NOBODY
    head: tuple[float, float] = (0.0, 0.0)
    """middle of a person's head, in pixels of the picture"""


@dataclass
class Stage:
    """What has been put on a place so far."""

    rng: np.random.Generator
    view: View
    climate: Climate
    street: Street
    items: list[Item] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)

    def stand(self, parts: Parts, x: float, z: float, foot: float, grain: float = 0.06,
              ragged: bool = False) -> None:  # fmt: skip
        """Put something upright on the ground."""
        shapes = self.view.upright(parts, x, z)
        outline = tuple(points for points, _ in parts)
        self.items.append(Item(x, z, shapes, outline, foot, grain, ragged))


def furnish(stage: Stage) -> None:
    """Put trees, bushes, lamps, signs, bollards, railings, cars and a dog on the place."""
    rng, climate, street = stage.rng, stage.climate, stage.street
    kerbs = (street.edges[1] - 0.5, street.edges[-2] + 0.5)
    for kerb in kerbs:
        _plant(stage, kerb, float(np.sign(kerb)))
    for x, high, z in street.lamps:
        stage.stand(things.lamp_post(climate, high, -float(np.sign(x))), x, z, 0.1)
    for _ in range(int(rng.integers(0, 6))):
        parts = (
            things.sign_post(rng, climate) if rng.random() < 0.4 else things.bollard(rng, climate)
        )
        stage.stand(parts, float(rng.choice(kerbs)), float(rng.uniform(5, 40)), 0.2)
    if rng.random() < 0.18:
        x = float(rng.uniform(*street.walks[0]))
        stage.stand(things.dog(rng, climate), x, float(rng.uniform(6, 22)), 0.35)
    left, right = street.road
    if right - left > 4:
        _traffic(stage, left + 1.1, left * 0.45, False)
        _traffic(stage, right - 1.1, right * 0.45, True)
        if rng.random() < 0.15:
            _railing(stage, float(rng.choice(kerbs)), float(rng.uniform(4, 12)))


def _plant(stage: Stage, kerb: float, side: float) -> None:
    rng, climate = stage.rng, stage.climate
    if rng.random() < 0.6:
        beyond = side * (2.2 if stage.street.road[0] == 0 else 0.6)
        gap, start = float(rng.uniform(6, 14)), float(rng.uniform(6, 20))
        for index in range(int(rng.integers(2, 7))):
            trunk, crown = things.tree(rng, climate)
            x, z = kerb + beyond, start + index * gap
            stage.stand(trunk, x, z, 0.3, 0.2)
            stage.stand(crown, x, z - 0.01, 0.0, 0.22, ragged=True)
    if rng.random() < 0.35:
        first = float(rng.uniform(5, 20))
        for index in range(int(rng.integers(3, 9))):
            parts = things.bush(rng, climate)
            stage.stand(parts, kerb + side * 0.6, first + index * 1.4, 0.8, 0.25, ragged=True)


def _traffic(stage: Stage, kerb_lane: float, lane: float, away: bool) -> None:
    rng = stage.rng
    if rng.random() < 0.55:
        z = float(rng.uniform(6, 16))
        for _ in range(int(rng.integers(1, 6))):
            _put_car(stage, kerb_lane, z, away, parked=True)
            z += float(rng.uniform(5.5, 9))
    if rng.random() < 0.3:
        _put_car(stage, lane, float(rng.uniform(9, 45)), away, parked=False)


def _put_car(stage: Stage, x: float, z: float, away: bool, parked: bool) -> None:
    one = cars.car(stage.rng, stage.climate, x, z, away, parked)
    shapes = cars.shapes(one, stage.view, stage.climate)
    stage.items.append(Item(x, z, shapes, (SHADOW_OF_CAR,), 1.1, 0.015))
    stage.lamps += cars.lights(one, stage.climate)


def _railing(stage: Stage, x: float, start: float) -> None:
    """Put a railing along a kerb, two metres at a time, so that people can stand behind it."""
    view = stage.view
    metal = Material((0.45, 0.46, 0.47), stage.climate.air + 0.5)
    for index in range(int(stage.rng.integers(4, 10))):
        near, far = start + 2 * index, start + 2 * index + 2
        shapes = [
            Shape(view.project(np.array([(x, low, near), (x, low + 0.07, near),
                                         (x, low + 0.07, far), (x, low, far)])), metal)
            for low in (0.45, 0.83)
        ]  # fmt: skip
        post: Parts = [(limb((0, 0), (0, 0.87), 0.035, 0.035), metal)]
        shapes += view.upright(post, x, near)
        stage.items.append(Item(x, near, shapes, (), 0.1, 0.02))


def populate(stage: Stage, count: int) -> None:
    """Put people on the place, half of them alone and half in groups of up to four."""
    rng, climate, view = stage.rng, stage.climate, stage.view
    taken = [(one.x, one.z, one.foot) for one in stage.items if one.foot]
    number = 0
    while number < count:
        group = min(count - number, int(rng.choice([1, 2, 3, 4], p=[0.5, 0.3, 0.13, 0.07])))
        x, z = _free_place(stage, taken)
        side = float(rng.choice([-1.0, 0.0, 0.0, 1.0]))
        for index in range(group):
            if side:
                beside, behind = index * float(rng.uniform(0.35, 0.7)), 0.45 * index
            else:
                beside, behind = (
                    index * 0.62 + float(rng.normal(0, 0.06)),
                    float(rng.normal(0, 0.12)),
                )
            rides = group == 1 and rng.random() < 0.08
            who = (rider if rides else figure)(rng, climate, side)
            taken.append((x + beside, z + behind, 0.4))
            stage.items.append(_person(view, who, x + beside, max(z + behind, 1.5), number))
            number += 1


def _person(view: View, who: Figure, x: float, z: float, owner: int) -> Item:
    scale = view.focal / z
    head = (view.ahead + scale * (x + who.head[0]), view.horizon + scale * (view.eye - who.head[1]))
    outline = tuple(points for points, _ in who.parts)
    return Item(x, z, view.upright(who.parts, x, z), outline, 0.3, 0.09, owner=owner, head=head)


def _free_place(stage: Stage, taken: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Return a place that is in the picture and, if one is found soon, not taken."""
    rng, view = stage.rng, stage.view
    unit = view.height / 480
    x = z = 10.0
    for _ in range(40):
        high = unit * SMALLEST * (TALLEST / SMALLEST) ** float(rng.random() ** 0.9)
        z = view.depth_of(1.7, high)
        low, top = stage.street.walks[int(rng.integers(len(stage.street.walks)))]
        x = float(rng.uniform(low, top))
        column = (view.ahead + view.focal * x / z) / view.width
        row = (view.horizon + view.focal * (view.eye - 0.9) / z) / view.height
        if not (0.02 < column < 0.98 and 0.02 < row < 0.98):
            continue
        if not any(
            abs(x - other) < foot + 0.25 and -0.4 < z - far < (4.6 if foot > 1 else 0.5)
            for other, far, foot in taken
        ):
            break
    return x, z
