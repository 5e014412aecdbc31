"""Two street scenes as a car's camera sees them: an avenue by day and a crossing at dusk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenes import furniture as fu
from scenes import sky
from scenes.buildings import RED_BRICK, RENDER, STOCK_BRICK, STONE, Front, house
from scenes.cars import car
from scenes.distance import Array, Triple
from scenes.noise import cell_random
from scenes.people import cyclist, walker
from scenes.splat import draw, leaf_light
from scenes.tracer import Camera, Light, Picture, Solid, Surface, find, grain, linear, shade, sunlit
from scenes.trees import Tree, tree

_EDGE = fu.HALF_ROAD + fu.PAVEMENT
_WALLS = (STOCK_BRICK, RED_BRICK, RENDER, STONE, linear(206, 190, 160), linear(160, 112, 86))
_SHOPS = (linear(38, 66, 58), linear(120, 30, 34), linear(34, 44, 78), linear(60, 58, 56), None)


def _row(
    side: int, start: float, end: float, seed: int, lit: float = 0.0, back: float = 0.0
) -> list[Solid]:
    """Return a row of houses along one side."""
    rng = np.random.default_rng(seed)
    houses, z = [], start
    while z < end:
        wide = rng.uniform(8, 14)
        wall = int(rng.integers(len(_WALLS)))
        front = Front(
            wall=_WALLS[wall],
            brick=wall in (0, 1, 5),
            bay=rng.uniform(2.0, 2.7),
            floor=rng.uniform(2.8, 3.3),
            trim=(STONE, RENDER)[int(rng.integers(2))],
            shop=_SHOPS[int(rng.integers(len(_SHOPS)))],
            seed=int(rng.integers(10_000)),
            lit=lit,
        )
        near, deep = side * (_EDGE + back), side * (_EDGE + back + 12)
        tall = rng.uniform(8.5, 13)
        houses.append(house((min(near, deep), max(near, deep)), (z, z + wide), tall, front))
        z += wide
    return houses


def _far_end(distance: float, tall: float, colour: Triple) -> Solid:
    """Return what closes the view: roofs and chimneys, hazy."""

    def roofline(p: tuple[Array, Array, Array]) -> Array:
        step = np.floor(p[0] / 7)
        height = tall * (0.6 + 0.6 * cell_random(step, seed=4))
        return np.maximum(p[1] - height, np.abs(p[2] - distance) - 3)

    def surface(p: tuple[Array, Array, Array], normal: Array) -> Surface:
        window = (np.sin(p[0] * 2.4) > 0.3) & (np.sin(p[1] * 2.1) > 0.2)
        return Surface(np.where(window[:, None], 0.5, 1.0) * np.array(colour))

    return Solid(
        (-60, 0, distance - 3), (60, tall * 1.3, distance + 3), roofline, surface, casts=False
    )


def _plant(picture: Picture, trees: Sequence[Tree], solids: Sequence[Solid], light: Light) -> None:
    """Draw the trees into a picture that is shaded already."""
    sun = np.array(light.sun, np.float32)
    blockers = [s for s in solids if s.casts and s.seen]
    for one in trees:
        at, radius, colour = (a.astype(np.float32) for a in one.wood)
        rng = np.random.default_rng(len(at))
        facing = rng.normal(0, 1, (len(at), 3)) * 0.5 - (0, 0, 0.8)
        facing = (facing / np.linalg.norm(facing, axis=1, keepdims=True)).astype(np.float32)
        crown = np.clip((at[:, 1] - 3.0) / 3, 0, 1) * 0.4
        lit = sunlit(blockers, at, np.broadcast_to(sun, at.shape)) * (1 - crown)
        wood = colour * leaf_light(facing, light, lit, thin=0.6) * 0.8
        leaf, size, green = (a.astype(np.float32) for a in one.leaves)
        reached = sunlit(blockers, leaf, np.broadcast_to(sun, leaf.shape))
        reached *= np.clip(1.15 - 1.3 * one.deep, 0.1, 1)
        received = leaf_light(one.outward.astype(np.float32), light, reached, thin=0.55)
        green = green * received * (1 - 0.45 * one.deep)[:, None]
        at, radius = np.concatenate([at, leaf]), np.concatenate([radius, size])
        away = np.linalg.norm(at - np.array(picture.camera.eye), axis=1)
        hazy = 1 - np.exp(-away * light.haze_per_metre)
        colour = np.concatenate([wood, green])
        draw(picture, at, radius, colour + (np.array(light.haze) - colour) * hazy[:, None])


def _render(
    camera: Camera,
    solids: list[Solid],
    trees: list[Tree],
    light: Light,
    size: tuple[int, int, int],
    exposure: float,
) -> Array:
    width, height, samples = size
    picture = Picture(camera, width, height, samples, seed=11)
    everything = [*solids, *(one.shadow for one in trees)]
    find(picture, everything)
    shade(picture, everything, light, reach=0.9)
    _plant(picture, trees, solids, light)
    return grain(picture.image(exposure), 2.0, seed=1)


def _day_light() -> Light:
    sun = np.array((-0.50, 0.62, -0.42))

    def above(rays: Array) -> Array:
        blue = sky.gradient(rays, linear(226, 234, 240), linear(118, 160, 206), top=0.6)
        return sky.with_clouds(rays, blue, (1.0, 1.0, 1.0), (0.72, 0.75, 0.80), 0.55, 1.2, seed=33)

    return Light(
        sun=tuple(sun / np.linalg.norm(sun)),
        sun_colour=(1.75, 1.62, 1.38),
        ambient=(0.42, 0.48, 0.58),
        bounce=(0.20, 0.19, 0.17),
        sky=above,
        haze=(0.66, 0.72, 0.78),
        sun_width=0.005,
        haze_per_metre=0.0026,
    )


def avenue(width: int = 960, height: int = 720, samples: int = 2) -> Array:
    """Return an avenue by day (row, column, 3) in 0..255."""
    solids = [
        fu.road(),
        fu.pavement(-1),
        fu.pavement(1),
        *_row(-1, 3, 110, seed=5),
        *_row(1, 5, 110, seed=15),
        _far_end(130, 13, linear(168, 160, 150)),
        car((1.95, 0, 14.5), linear(150, 24, 30)),
        car((2.0, 0, 33), linear(188, 192, 198)),
        car((-1.9, 0, 24), linear(44, 62, 104), towards_us=False),
        car((-2.0, 0, 46), linear(222, 222, 220), towards_us=False, kind="van"),
        car((3.0, 0, 52), linear(48, 48, 52)),
        walker((5.3, fu.KERB, 11.5), linear(52, 66, 92), linear(44, 44, 50), 0.1, 0.26),
        walker((6.0, fu.KERB, 12.1), linear(150, 52, 48), linear(60, 66, 84), 0.1, -0.22, 1.62),
        walker((-5.7, fu.KERB, 13.5), linear(72, 66, 58), linear(36, 38, 44), 3.0, 0.28, 1.80),
        walker((-5.2, fu.KERB, 26), linear(200, 196, 186), linear(48, 52, 66), 0.0, 0.2),
        cyclist((-3.05, 0, 13.0), linear(196, 190, 40)),
        *fu.lamp_post(4.5, 19),
        *fu.lamp_post(-4.5, 30),
        *fu.lamp_post(4.5, 45),
        *fu.sign(4.55, 9.2, linear(186, 22, 30)),
        *fu.sign(-4.6, 18.5, linear(26, 66, 140), kind="plate"),
        fu.railing(-4.35, (6.0, 12.5), linear(54, 58, 60)),
    ]
    fresh, dark = linear(118, 134, 70), linear(54, 74, 40)
    trees = [
        tree((5.0, fu.KERB, 25.0), 8.5, 1, fresh, dark),
        tree((-5.1, fu.KERB, 21.0), 8.0, 2, fresh, dark),
        tree((5.0, fu.KERB, 38.0), 9.0, 3, fresh, dark),
        tree((-5.0, fu.KERB, 37.0), 9.0, 4, fresh, dark),
        tree((-5.0, fu.KERB, 54.0), 9.5, 5, fresh, dark),
        tree((5.0, fu.KERB, 58.0), 9.5, 6, fresh, dark),
    ]
    camera = Camera((-1.5, 1.45, 0.5), 0.045, 0.035, 0.86)
    return _render(camera, solids, trees, _day_light(), (width, height, samples), 0.74)


def _dusk_light() -> Light:
    sun = np.array((0.62, 0.16, 0.77))

    def above(rays: Array) -> Array:
        clear = sky.gradient(rays, linear(250, 186, 124), linear(74, 96, 148), top=0.55)
        return sky.with_clouds(
            rays, clear, linear(255, 200, 160), linear(120, 108, 136), 0.6, 1.1, seed=9
        )

    lamps = [((3.0, 7.2, 12.0), (9.0, 6.4, 3.2)), ((-3.0, 7.2, 20.0), (9.0, 6.4, 3.2)),
             ((3.0, 7.2, 32.0), (9.0, 6.4, 3.2))]  # fmt: skip
    return Light(
        sun=tuple(sun / np.linalg.norm(sun)),
        sun_colour=(0.55, 0.34, 0.18),
        ambient=(0.30, 0.34, 0.46),
        bounce=(0.15, 0.13, 0.12),
        sky=above,
        haze=(0.52, 0.42, 0.40),
        haze_per_metre=0.0042,
        lamps=lamps,
    )


def crossing(width: int = 960, height: int = 720, samples: int = 2) -> Array:
    """Return a zebra crossing at dusk (row, column, 3) in 0..255."""
    solids = [
        fu.road(zebra=(9.5, 12.6), wet=0.8),
        fu.pavement(-1),
        fu.pavement(1),
        *_row(-1, 2, 100, seed=23, lit=0.3),
        *_row(1, 4, 100, seed=41, lit=0.3),
        _far_end(115, 12, linear(120, 112, 116)),
        walker((-1.7, 0, 10.6), linear(44, 52, 74), linear(40, 40, 46), 1.57, 0.30, 1.78),
        walker((1.0, 0, 11.6), linear(156, 60, 50), linear(52, 54, 66), 1.57, -0.26, 1.66),
        walker((5.4, fu.KERB, 15.0), linear(84, 78, 66), linear(38, 40, 46), 0.2, 0.25),
        walker((-5.5, fu.KERB, 9.0), linear(60, 84, 70), linear(46, 44, 48), 0.1, 0.24),
        car((1.95, 0, 16.8), linear(206, 208, 210), lit=True),
        car((2.0, 0, 27), linear(58, 60, 66), lit=True),
        car((-2.0, 0, 30), linear(130, 28, 30), towards_us=False, lit=True),
        car((-2.0, 0, 44), linear(210, 210, 206), towards_us=False, kind="van", lit=True),
        *fu.beacon(-4.4, 9.2, lit=True),
        *fu.beacon(4.4, 12.9, lit=True),
        *fu.lamp_post(4.5, 12.0 + 4.5, lit=True),
        *fu.lamp_post(-4.5, 22.0, lit=True),
        *fu.lamp_post(4.5, 36.0, lit=True),
        *fu.signal(-4.5, 26.0, lit=2),
        *fu.sign(4.55, 22.0, linear(26, 66, 140), kind="plate"),
    ]
    fresh, dark = linear(120, 118, 62), linear(54, 62, 40)
    trees = [
        tree((5.1, fu.KERB, 30.0), 8.5, 7, fresh, dark),
        tree((-5.1, fu.KERB, 33.0), 8.5, 8, fresh, dark),
        tree((-5.1, fu.KERB, 50.0), 9.0, 9, fresh, dark),
        tree((5.1, fu.KERB, 50.0), 9.0, 10, fresh, dark),
    ]
    camera = Camera((-1.3, 1.5, 0.5), 0.03, 0.02, 0.86)
    return _render(camera, solids, trees, _dusk_light(), (width, height, samples), 1.12)
