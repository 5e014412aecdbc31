"""Put a scene together: a place, an hour, people and things in it, two cameras, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from models.training.scenes.cameras import (
    Thermograph,
    degrees,
    greys,
    light_on,
    photograph,
    thermograph,
)
from models.training.scenes.climate import Climate, climate
from models.training.scenes.facades import paint_buildings
from models.training.scenes.ground import paint_ground
from models.training.scenes.sky import paint_sky
from models.training.scenes.staging import Item, Stage, furnish, populate
from models.training.scenes.street import Street, in_shade, street
from models.training.scenes.texture import blur
from models.training.scenes.view import NOBODY, Canvas, Field, Lamp, View

SEEN = 0.2
"""share of a person that must be visible for the person to count"""
FEWEST_PIXELS = 6
"""pixels of a person that must be visible for the person to count"""

STREET_LIGHT = ((28.0, 23.0, 14.0), (30.0, 19.0, 7.0), (22.0, 25.0, 20.0), (21.0, 24.0, 27.0))
"""old and new kinds of street lamps"""


@dataclass(frozen=True)
class Truth:
    """Who is seen: one row a person, in pixels of the colour picture."""

    points: Float[np.ndarray, "person 2"]
    heads: Float[np.ndarray, "person 2"]
    boxes: Float[np.ndarray, "person 4"]


@dataclass(frozen=True)
class Scene:
    """A painted canvas and the light on it: what cameras are pointed at."""

    canvas: Canvas
    climate: Climate
    lamps: tuple[Lamp, ...]
    truth: Truth
    seed: int

    def photo(self) -> UInt8[np.ndarray, "row column 3"]:
        """Return the colour picture of the view."""
        light = light_on(self.canvas, self.climate, self.lamps)
        inner = _cut(light, self.canvas.view, (0, 0))
        return photograph(inner, self.climate, np.random.default_rng([self.seed, 1]))

    def camera(self) -> Thermograph:
        """Return the thermal camera that belongs to the scene."""
        return thermograph(np.random.default_rng([self.seed, 3]))

    def measured(
        self, shift: tuple[int, int] = (0, 0), camera: Thermograph | None = None
    ) -> Float[np.ndarray, "row column"]:
        """Return degrees Celsius; what is at (x, y) in colour is at (x, y) + shift here."""
        view = self.canvas.view
        heat, depth = _cut(self.canvas.heat, view, shift), _cut(self.canvas.depth, view, shift)
        return self._measure(heat, depth, camera or self.camera())

    def measured_in(
        self, box: tuple[float, float, float, float], size: tuple[int, int], camera: Thermograph
    ) -> Float[np.ndarray, "row column"]:
        """Return degrees Celsius as a camera of another view and size measures them.

        Args:
            box: what it sees: left, top, right, bottom in pixels of the colour picture.
            size: its width and height in pixels.
            camera: what it does to them.
        """
        left, top = self.canvas.view.margin
        inside = (box[0] + left, box[1] + top, box[2] + left, box[3] + top)
        area, nearest = Image.Resampling.BOX, Image.Resampling.NEAREST
        heat = Image.fromarray(self.canvas.heat).resize(size, area, inside)
        depth = Image.fromarray(self.canvas.depth).resize(size, nearest, inside)
        return self._measure(np.asarray(heat), np.asarray(depth), camera)

    def thermal(self, shift: tuple[int, int] = (0, 0)) -> UInt8[np.ndarray, "row column"]:
        """Return the grey thermal picture; the shift is as above."""
        return greys(self.measured(shift), self.camera())

    def _measure(self, heat: Field, depth: Field, camera: Thermograph) -> Field:
        return degrees(heat, depth, self.climate, camera, np.random.default_rng([self.seed, 2]))


def paint(
    seed: int,
    size: tuple[int, int],
    night: bool | None = None,
    people: int | None = None,
    margin: tuple[int, int] = (0, 0),
) -> Scene:
    """Paint a scene.

    Args:
        seed: the same seed and arguments make the same scene.
        size: width and height of the picture in pixels.
        night: by chance where none.
        people: how many are placed; fewer may be seen; by chance where none.
        margin: pixels to be painted beyond the picture's borders.
    """
    rng = np.random.default_rng([seed, 0])
    drawn_people, drawn_night = how_many(rng), bool(rng.random() < 0.5)
    people = drawn_people if people is None else people
    moment = climate(rng, drawn_night if night is None else night)
    place = street(rng, people)
    stage = Stage(rng, _view(rng, size, people, margin), moment, place)
    furnish(stage)
    populate(stage, people)
    canvas = Canvas(stage.view)
    paint_sky(canvas, moment, place)
    paint_ground(canvas, moment, place)
    _shadows(canvas, moment, stage.items)
    paint_buildings(canvas, moment, place)
    truth = _truth(canvas, stage.items, _paint_items(canvas, stage))
    return Scene(canvas, moment, tuple(_lamps(stage)), truth, seed)


def how_many(rng: np.random.Generator) -> int:
    """Return a number of people: mostly 0 to 10, now and then a crowd of up to 60."""
    kind = rng.random()
    if kind < 0.08:
        return 0
    return int(rng.integers(12, 61)) if kind < 0.22 else int(min(rng.geometric(0.25), 11))


def _cut(values: Field, view: View, shift: tuple[int, int]) -> Field:
    left, top = view.margin[0] - shift[0], view.margin[1] - shift[1]
    return values[top : top + view.height, left : left + view.width]


def _view(
    rng: np.random.Generator, size: tuple[int, int], people: int, margin: tuple[int, int]
) -> View:
    width, height = size
    if people >= 12:
        # From a first floor, people hide each other less.
        eye, horizon = float(rng.uniform(2.6, 6.5)), float(rng.uniform(0.16, 0.36))
    else:
        eye, horizon = float(rng.uniform(1.35, 2.4)), float(rng.uniform(0.38, 0.52))
    ahead = float(np.clip(rng.normal(0.5, 0.13), 0.2, 0.8))
    focal = float(rng.uniform(0.95, 1.35)) * height
    return View(width, height, focal, eye, ahead * width, horizon * height, margin)


def _paint_items(canvas: Canvas, stage: Stage) -> dict[int, float]:
    """Paint all items, the farthest first, and return how many pixels each person covers."""
    climate, areas = stage.climate, {}
    towards_sun = -float(np.sign(climate.shadow[0])) * min(1.0, 0.3 + climate.sun[0])
    for item in sorted(stage.items, key=lambda one: -one.z):
        sun = 0.8 * (1 - _shade_at(stage.street, climate, item))
        side = towards_sun if sun > 0.1 and climate.warming else 0.25
        areas[item.owner] = canvas.paint(
            item.shapes, item.z, sun, item.owner, side, item.grain, item.ragged
        )
    return areas


def _shade_at(place: Street, climate: Climate, item: Item) -> float:
    x, z = np.full(1, item.x, np.float32), np.full(1, item.z, np.float32)
    return float(in_shade(place, climate, x, z)[0])


def _lamps(stage: Stage) -> list[Lamp]:
    if not stage.climate.night:
        return []
    rng = stage.rng
    hue = STREET_LIGHT[int(rng.integers(len(STREET_LIGHT)))]
    lamps = [*stage.lamps, *((x, y, z, hue) for x, y, z in stage.street.lamps)]
    if rng.random() < 0.35:
        # The camera itself stands on a car whose lights are on.
        lamps.append((0.0, 0.7, -1.5, (14.0, 14.0, 12.5)))
    return lamps


def _shadows(canvas: Canvas, climate: Climate, items: list[Item]) -> None:
    """Darken the ground below everything, and where things keep the sun off it."""
    view, (rows, columns) = canvas.view, canvas.heat.shape
    cast, near = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    draw_cast, draw_near = ImageDraw.Draw(cast), ImageDraw.Draw(near)
    sunny = climate.sun[0] > 0.05
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.stack([np.cos(turn), 0 * turn, 0.6 * np.sin(turn)], 1)
    for item in items:
        _fill(draw_near, view, [ring * max(item.foot, 0.01) + (item.x, 0, item.z)])
        if sunny:
            across, along = climate.shadow
            matrix = np.array([(1, 0, 0), (across, 0, along)])
            _fill(draw_cast, view, [p @ matrix + (item.x, 0, item.z) for p in item.outline])
    canvas.sky *= 1 - 0.55 * blur(np.asarray(near, np.float32) / 255, 1.6)
    if sunny:
        shade = blur(np.asarray(cast, np.float32) / 255, 0.9)
        canvas.heat -= 0.3 * shade * climate.warming * canvas.sun
        canvas.sun *= 1 - shade


def _fill(draw: ImageDraw.ImageDraw, view: View, polygons: list[np.ndarray]) -> None:
    if not polygons:
        return
    every = np.concatenate(polygons)
    if every[:, 2].min() < 0.8:
        return
    pixels = view.project(every) + view.margin
    for places in np.split(pixels, np.cumsum([len(one) for one in polygons])[:-1]):
        draw.polygon(places.ravel().tolist(), fill=255)


def _truth(canvas: Canvas, items: list[Item], areas: dict[int, float]) -> Truth:
    owner = _cut(canvas.owner, canvas.view, (0, 0))
    rows, columns = np.nonzero(owner != NOBODY)
    who = owner[rows, columns]
    points, heads, boxes = [], [], []
    for item in items:
        mine = who == item.owner
        if item.owner == NOBODY or mine.sum() < max(SEEN * areas[item.owner], FEWEST_PIXELS):
            continue
        x, y = columns[mine], rows[mine]
        left, top, right, bottom = int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1
        points.append(((left + right) / 2, (top + bottom) / 2))
        heads.append(item.head)
        boxes.append((left, top, right, bottom))
    return Truth(_table(points, 2), _table(heads, 2), _table(boxes, 4))


def _table(rows: Sequence[tuple[float, ...]], columns: int) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, columns)
