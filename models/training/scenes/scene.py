"""Put a scene together: a place, an hour, people and things in it, two cameras, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from models.training.scenes import things
from models.training.scenes.cameras import (
    Lamp,
    Thermograph,
    degrees,
    greys,
    light_on,
    photograph,
    thermograph,
)
from models.training.scenes.climate import Climate, climate
from models.training.scenes.people import Figure, figure, seated_rider
from models.training.scenes.street import (
    Street,
    in_shade,
    paint_buildings,
    paint_ground,
    paint_sky,
    street,
)
from models.training.scenes.texture import blur
from models.training.scenes.view import NOBODY, Canvas, Field, Shape, View

SEEN = 0.2
"""share of a person that must be visible for the person to count"""
SMALLEST, TALLEST = 12.0, 170.0
"""heights of people, in pixels of a picture 480 pixels high"""


@dataclass(frozen=True)
class Item:
    """Something that stands on the ground and is painted by its distance."""

    x: float
    z: float
    shapes: list[Shape]
    outline: list[np.ndarray]
    """polygons in metres (u, v), for its shadow"""
    foot: float
    """metres that it covers on the ground to either side"""
    owner: int = NOBODY
    grain: float = 0.05
    head: tuple[float, float] | None = None


@dataclass(frozen=True)
class Truth:
    """Who is seen: one row a person."""

    points: Float[np.ndarray, "person 2"]
    heads: Float[np.ndarray, "person 2"]
    boxes: Float[np.ndarray, "person 4"]


@dataclass(frozen=True)
class Painted:
    """A finished canvas and the light on it: what cameras are pointed at."""

    canvas: Canvas
    climate: Climate
    lamps: list[Lamp]
    truth: Truth
    seed: int

    def photo(self) -> UInt8[np.ndarray, "row column 3"]:
        """Return the colour picture of the view."""
        view = self.canvas.view
        light = light_on(self.canvas, self.climate, self.lamps)
        inner = _cut(light, view, (0, 0))
        return photograph(inner, self.climate, np.random.default_rng([self.seed, 1]))

    def measured(
        self, shift: tuple[int, int], camera: Thermograph | None = None
    ) -> Float[np.ndarray, "row column"]:
        """Return degrees Celsius; what is at (x, y) in colour is at (x, y) + shift here."""
        view, rng = self.canvas.view, np.random.default_rng([self.seed, 2])
        camera = camera or thermograph(np.random.default_rng([self.seed, 3]))
        heat, depth = (
            _cut(values, view, shift) for values in (self.canvas.heat, self.canvas.depth)
        )
        return degrees(heat, depth, self.climate, camera, rng)

    def thermal(
        self, shift: tuple[int, int], camera: Thermograph | None = None
    ) -> UInt8[np.ndarray, "row column"]:
        """Return the grey thermal picture."""
        camera = camera or thermograph(np.random.default_rng([self.seed, 3]))
        return greys(self.measured(shift, camera), camera)


def _cut(values: Field, view: View, shift: tuple[int, int]) -> Field:
    left, top = view.margin[0] - shift[0], view.margin[1] - shift[1]
    return values[top : top + view.height, left : left + view.width]


def how_many(rng: np.random.Generator) -> int:
    """Return a number of people: mostly 0 to 10, now and then a crowd of up to 60."""
    kind = rng.random()
    if kind < 0.08:
        return 0
    return int(rng.integers(12, 61)) if kind < 0.22 else int(min(rng.geometric(0.25), 11))


def paint(
    seed: int,
    size: tuple[int, int],
    night: bool | None,
    people: int | None,
    margin: tuple[int, int],
) -> Painted:
    """Paint a scene.

    Args:
        seed: the same seed and arguments make the same scene.
        size: width and height of the picture in pixels.
        night: by chance where none.
        people: how many are placed; fewer may be seen; by chance where none.
        margin: pixels to be painted beyond the picture's borders.
    """
    rng = np.random.default_rng([seed, 0])
    chance, drawn_night = how_many(rng), bool(rng.random() < 0.5)
    people = chance if people is None else people
    moment = climate(rng, drawn_night if night is None else night)
    place = street(rng, people)
    view = _view(rng, size, people, place, margin)
    canvas = Canvas(view)
    items, lamps = _things(rng, view, moment, place)
    items += _people(rng, view, moment, place, people, items)
    paint_sky(canvas, moment, place)
    paint_ground(canvas, moment, place)
    _shadows(canvas, moment, items)
    paint_buildings(canvas, moment, place)
    heads, areas = {}, {}
    for item in sorted(items, key=lambda one: -one.z):
        foot_x, foot_z = np.full(1, item.x, np.float32), np.full(1, item.z, np.float32)
        lit = 0.8 * (1 - float(in_shade(place, moment, foot_x, foot_z)[0]))
        side = -np.sign(moment.shadow[0]) * min(1.0, 0.3 + max(moment.sun)) if lit else 0.0
        areas[item.owner] = canvas.paint(
            item.shapes, item.z, lit, item.owner, side or 0.25, item.grain
        )
        if item.head is not None:
            heads[item.owner] = item.head
    if moment.night:
        lamps += [(x, y, z, (26.0, 22.0, 15.0)) for x, y, z in place.lamps]
        if rng.random() < 0.35:
            # The camera itself stands on a car whose lights are on.
            lamps.append((0.0, 0.7, -1.5, (14.0, 14.0, 12.5)))
    return Painted(canvas, moment, lamps, _truth(canvas, heads, areas), seed)


def _view(
    rng: np.random.Generator, size: tuple[int, int], people: int, place: Street,
    margin: tuple[int, int],
) -> View:  # fmt: skip
    width, height = size
    focal = float(rng.uniform(0.95, 1.35)) * height
    if people >= 12:
        eye, horizon = float(rng.uniform(2.6, 6.5)), float(rng.uniform(0.16, 0.36))
    else:
        eye, horizon = float(rng.uniform(1.35, 2.4)), float(rng.uniform(0.38, 0.52))
    ahead = float(rng.normal(0.5, 0.13))
    # The camera stands in the road or on the walk, never inside a wall.
    return View(width, height, focal, eye, float(np.clip(ahead, 0.2, 0.8)) * width,
                horizon * height, margin)  # fmt: skip


def _things(
    rng: np.random.Generator, view: View, moment: Climate, place: Street
) -> tuple[list[Item], list[Lamp]]:
    items: list[Item] = []
    lamps: list[Lamp] = []
    kerbs = (place.edges[1] - 0.5, place.edges[-2] + 0.5)

    def stand(parts: things.Parts, x: float, z: float, foot: float, grain: float = 0.06) -> None:
        shapes = [Shape(view.upright(points, x, z), material) for points, material in parts]
        items.append(Item(x, z, shapes, [points for points, _ in parts], foot, grain=grain))

    gap, start = float(rng.uniform(6, 14)), float(rng.uniform(6, 20))
    for side in kerbs:
        if rng.random() < 0.6:
            for index in range(int(rng.integers(2, 8))):
                parts, _, radius = things.tree(rng, moment)
                beyond = np.sign(side) * (0.3 + (radius if place.road[0] == 0 else 0.4))
                stand(parts, side + beyond, start + index * gap, 0.3, 0.2)
        if rng.random() < 0.35:
            first = float(rng.uniform(5, 20))
            for index in range(int(rng.integers(3, 9))):
                beside = side + np.sign(side) * 0.6
                stand(things.bush(rng, moment), beside, first + index * 1.6, 1.0, 0.25)
    for x, y, z in place.lamps:
        stand(things.lamp_post(moment, y), x, z, 0.1)
    for _ in range(int(rng.integers(0, 6))):
        side = float(rng.choice(kerbs))
        parts = things.sign_post(rng, moment) if rng.random() < 0.4 else things.bollard(rng, moment)
        stand(parts, side, float(rng.uniform(5, 40)), 0.2)
    if rng.random() < 0.18:
        stand(things.dog(rng, moment), float(rng.uniform(*place.walks[0])),
              float(rng.uniform(6, 22)), 0.35)  # fmt: skip
    left, right = place.road
    for lane in (-1, 1) if right - left > 4 else ():
        if rng.random() < 0.55:
            x = left + 1.1 if lane < 0 else right - 1.1
            z = float(rng.uniform(6, 16))
            for _ in range(int(rng.integers(1, 6))):
                _drive(rng, view, moment, items, lamps, x, z, bool(lane > 0), True)
                z += float(rng.uniform(5.5, 9))
        if rng.random() < 0.3:
            x = (left if lane < 0 else right) * 0.45
            _drive(rng, view, moment, items, lamps, x, float(rng.uniform(9, 45)), bool(lane > 0),
                   False)  # fmt: skip
    return items, lamps


def _drive(
    rng: np.random.Generator, view: View, moment: Climate, items: list[Item], lamps: list[Lamp],
    x: float, z: float, away: bool, parked: bool,
) -> None:  # fmt: skip
    shapes, lights = things.car(rng, view, moment, x, z, away, parked)
    outline = np.array([(-0.9, 0.2), (0.9, 0.2), (0.8, 1.4), (-0.8, 1.4)])
    items.append(Item(x, z, shapes, [outline], 1.1, grain=0.015))
    lamps += lights[:4]


def _people(
    rng: np.random.Generator, view: View, moment: Climate, place: Street, count: int,
    things_there: list[Item],
) -> list[Item]:  # fmt: skip
    people: list[Item] = []
    taken = [(one.x, one.z, one.foot) for one in things_there]
    unit = view.height / 480
    left_over = count
    while left_over:
        group = min(left_over, int(rng.choice([1, 2, 3, 4], p=[0.5, 0.3, 0.13, 0.07])))
        left_over -= group
        x, z = _free_place(rng, view, place, taken, unit)
        side = float(rng.choice([-1.0, 0.0, 0.0, 1.0]))
        for index in range(group):
            beside = x + (index * 0.62 + float(rng.normal(0, 0.06)) if side == 0 else
                          index * float(rng.uniform(0.3, 0.7)))  # fmt: skip
            behind = z + (float(rng.normal(0, 0.12)) if side == 0 else 0.45 * index)
            rides = group == 1 and rng.random() < 0.08
            who = (seated_rider if rides else figure)(rng, moment, side)
            taken.append((beside, behind, 0.4))
            people.append(_person(view, who, beside, max(behind, 1.5), len(people)))
    return people


def _person(view: View, who: Figure, x: float, z: float, owner: int) -> Item:
    shapes = [Shape(view.upright(points, x, z), material) for points, material in who.parts]
    head = view.upright([who.head], x, z)[0]
    return Item(x, z, shapes, who.outline(), 0.3, owner, 0.09, (float(head[0]), float(head[1])))


def _free_place(
    rng: np.random.Generator, view: View, place: Street,
    taken: list[tuple[float, float, float]], unit: float,
) -> tuple[float, float]:  # fmt: skip
    x = z = 10.0
    for _ in range(40):
        high = unit * float(np.exp(rng.uniform(np.log(SMALLEST), np.log(TALLEST))))
        z = view.depth_of(1.7, high)
        low, top = place.walks[int(rng.integers(len(place.walks)))]
        x = float(rng.uniform(low, top))
        column = view.ahead + view.focal * x / z
        row = view.horizon + view.focal * (view.eye - 0.9) / z
        outside = not (0.02 < column / view.width < 0.98 and 0.02 < row / view.height < 0.98)
        if outside or any(
            abs(x - other) < foot + 0.25 and -0.4 < z - far < (4.6 if foot > 1 else 0.5)
            for other, far, foot in taken
        ):
            continue
        break
    return x, z


def _shadows(canvas: Canvas, moment: Climate, items: list[Item]) -> None:
    view = canvas.view
    rows, columns = canvas.heat.shape
    cast, near = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    draw_cast, draw_near = ImageDraw.Draw(cast), ImageDraw.Draw(near)
    across, along = moment.shadow
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for item in items:
        ring = np.stack([item.x + item.foot * np.cos(turn), 0 * turn,
                         item.z + 0.6 * item.foot * np.sin(turn)], 1)  # fmt: skip
        _fill(draw_near, view, ring, 255)
        if moment.sun[0] > 0.05:
            for points in item.outline:
                u, v = points.T
                _fill(draw_cast, view, np.stack(
                    [item.x + u + across * v, 0 * u, item.z + along * v], 1), 255)  # fmt: skip
    contact = blur(np.asarray(near, np.float32) / 255, 1.6)
    canvas.sky *= 1 - 0.55 * contact
    if moment.sun[0] > 0.05:
        shade = blur(np.asarray(cast, np.float32) / 255, 0.9)
        canvas.heat -= 0.3 * shade * moment.warming * canvas.sun
        canvas.sun *= 1 - shade


def _fill(draw: ImageDraw.ImageDraw, view: View, places: np.ndarray, value: int) -> None:
    if places[:, 2].min() < 0.8:
        return
    pixels = view.project(places) + view.margin
    draw.polygon(pixels.ravel().tolist(), fill=value)


def _truth(canvas: Canvas, heads: dict[int, tuple[float, float]], areas: dict[int, float]) -> Truth:
    view = canvas.view
    owner = _cut(canvas.owner, view, (0, 0))
    rows, columns = np.nonzero(owner >= 0)
    who = owner[rows, columns]
    points, tops, boxes = [], [], []
    for number in sorted(heads):
        mine = who == number
        if mine.sum() < max(SEEN * areas[number], 6):
            continue
        x, y = columns[mine], rows[mine]
        box = (x.min(), y.min(), x.max() + 1, y.max() + 1)
        boxes.append(box)
        points.append(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
        tops.append(heads[number])
    return Truth(
        np.array(points, np.float32).reshape(-1, 2),
        np.array(tops, np.float32).reshape(-1, 2),
        np.array(boxes, np.float32).reshape(-1, 4),
    )
