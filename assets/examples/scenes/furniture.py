"""What stands and lies in a street: road, paint, kerbs, lamps, signals, signs and railings."""

from __future__ import annotations

import numpy as np

from scenes import distance as sd
from scenes.distance import Array, Point, Triple
from scenes.noise import cell_random, fractal_noise, mix, paint, smooth_step
from scenes.tracer import Solid, Surface, linear

HALF_ROAD = 4.0
PAVEMENT = 2.9
KERB = 0.13
_PAINT = linear(226, 224, 214)
_YELLOW = linear(206, 172, 70)


def road(zebra: tuple[float, float] | None = None, wet: float = 0.0) -> Solid:
    """Return the road, with dashes in the middle and lines at the sides; ``zebra`` spans z."""

    def surface(p: Point, normal: Array) -> Surface:
        x, _, z = p
        fine = fractal_noise(x * 70, z * 70, octaves=3, seed=1)
        coarse = fractal_noise(x * 0.7, z * 0.25, octaves=5, seed=2)
        tracks = np.exp(-(((np.abs(np.abs(x) - 2.0) - 0.75) / 0.28) ** 2))
        near = np.clip(1.2 - z / 18, 0.1, 1)
        tone = 0.78 + 0.36 * coarse + (fine - 0.5) * 0.55 * near + 0.10 * tracks
        colour = np.array(linear(112, 112, 114)) * tone[:, None]
        colour = paint(colour, linear(64, 64, 66), _patches(x, z) * 0.6)
        worn = smooth_step(0.72, 0.45, fractal_noise(x * 9, z * 5, octaves=4, seed=3))
        marks = _marks(x, z, zebra)
        colour = paint(colour, _PAINT, marks * (0.55 + 0.45 * worn))
        yellow = (np.abs(np.abs(x) - 3.66) < 0.045) | (np.abs(np.abs(x) - 3.47) < 0.045)
        if zebra is not None:
            yellow &= (z < zebra[0] - 7) | (z > zebra[1] + 7)
        colour = paint(colour, _YELLOW, yellow * (0.35 + 0.5 * worn))
        gutter = smooth_step(3.75, 3.98, np.abs(x))
        colour = colour * (1 - 0.4 * gutter)[:, None]
        puddle = smooth_step(0.50, 0.62, coarse) * wet
        return Surface(
            colour * (1 - 0.45 * puddle)[:, None], gloss=0.02 + 0.16 * puddle + 0.05 * wet
        )

    return Solid((-4.1, -1, 0.4), (4.1, 0, 400), lambda p: p[1], surface, casts=False)


def _patches(x: Array, z: Array) -> Array:
    trench = (np.abs(x - 1.3) < 0.35) & (z > 9) & (z < 15.5)
    cover = np.hypot(x + 1.1, z - 8.2) < 0.32
    ring = cover & (np.hypot(x + 1.1, z - 8.2) > 0.27)
    return trench * 0.6 + cover * 0.7 + ring * 0.6


def _marks(x: Array, z: Array, zebra: tuple[float, float] | None) -> Array:
    dashes = (np.abs(x) < 0.06) & ((z + 1.0) % 6.0 < 3.0)
    if zebra is None:
        return dashes.astype(np.float32)
    inside = (z > zebra[0]) & (z < zebra[1])
    bars = inside & (((x + 0.28) % 1.14) < 0.57) & (np.abs(x) < HALF_ROAD - 0.05)
    stop = ((np.abs(z - zebra[0] + 1.1) < 0.1) & (x < 0)) | (
        (np.abs(z - zebra[1] - 1.1) < 0.1) & (x > 0)
    )
    # The zig-zags before a crossing.
    swing = np.abs(((z / 2.0) % 2.0) - 1.0) * 0.36 - 0.18
    beside = ((z < zebra[0] - 1.4) | (z > zebra[1] + 1.4)) & (np.abs(z - 10) < 22)
    lines = beside & ((np.abs(x - swing) < 0.05) | (np.abs(np.abs(x) - 3.35 - swing * 0.8) < 0.05))
    return (bars | stop | lines).astype(np.float32)


def pavement(side: int) -> Solid:
    """Return the pavement with its kerb, left (-1) or right (1)."""
    inner, outer = side * HALF_ROAD, side * (HALF_ROAD + PAVEMENT + 14)
    low, high = min(inner, outer), max(inner, outer)
    centre, half = ((low + high) / 2, -0.5, 200.0), ((high - low) / 2, 0.5 + KERB, 200.0)

    def surface(p: Point, normal: Array) -> Surface:
        x, _, z = p
        row = np.floor(z / 0.62)
        slab = np.floor(x / 0.62 + 0.5 * (row % 2))
        joint = (z / 0.62 - row < 0.035) | (x / 0.62 + 0.5 * (row % 2) - slab < 0.035)
        tone = 0.86 + 0.22 * cell_random(slab, row, seed=side + 5)
        dirt = fractal_noise(x * 1.1, z * 0.8, octaves=5, seed=side + 6)
        near = np.clip(1.3 - z / 20, 0.12, 1)
        speck = fractal_noise(x * 40, z * 40, octaves=2, seed=9) - 0.5
        colour = (
            np.array(linear(152, 147, 138))
            * (tone * (0.7 + 0.5 * dirt) + speck * 0.3 * near)[:, None]
        )
        colour = paint(colour, linear(86, 82, 76), joint * 0.6 * near)
        stone = np.abs(x) < HALF_ROAD + 0.16
        joints = (z / 0.92) % 1 < 0.02
        kerb = np.array(linear(158, 154, 147)) * (0.8 + 0.3 * dirt)[:, None]
        colour = np.where(stone[:, None], kerb * (1 - 0.4 * joints * near)[:, None], colour)
        return Surface(colour.astype(np.float32))

    box_low, box_high = (low, -0.6, 0.4), (high, KERB, 400.0)
    return Solid(box_low, box_high, lambda p: sd.box(p, centre, half, 0.025), surface, casts=False)


def _plain(colour: Triple, gloss: float = 0.03):  # type: ignore[no-untyped-def]
    return lambda p, normal: Surface(np.tile(np.array(colour, np.float32), (len(normal), 1)), gloss)


def lamp_post(x: float, z: float, lit: bool = False) -> list[Solid]:
    """Return a street lamp on the pavement with its arm over the road."""
    over = x - np.sign(x) * 1.5
    metal = _plain(linear(92, 96, 98), 0.06)

    def post(p: Point) -> Array:
        pole = sd.capsule(p, (x, 0, z), (x, 6.9, z), 0.085, 0.05)
        arm = sd.capsule(p, (x, 6.9, z), (over, 7.25, z), 0.045)
        return sd.union(pole, arm, sd.cylinder(p, (x, 0.5, z), 0.12, 0.55))

    def head(p: Point, normal: Array) -> Surface:
        glow = np.array((7.0, 5.2, 2.6)) * (normal[:, 1:2] < 0) if lit else 0.0
        return Surface(
            np.tile(np.array(linear(190, 190, 186), np.float32), (len(normal), 1)), 0.1, glow
        )

    low, high = min(x, over) - 0.2, max(x, over) + 0.2
    return [
        Solid((low, 0, z - 0.2), (high, 7.4, z + 0.2), post, metal),
        Solid((over - 0.45, 7.1, z - 0.2), (over + 0.45, 7.45, z + 0.2),
              lambda p: sd.ellipsoid(p, (over, 7.27, z), (0.38, 0.09, 0.15)), head),
    ]  # fmt: skip


def sign(x: float, z: float, colour: Triple, kind: str = "disc", tall: float = 2.5) -> list[Solid]:
    """Return a traffic sign on a pole: a "disc" with a rim of a colour, or a "plate" in it."""
    face = linear(236, 234, 230)

    def board(p: Point) -> Array:
        if kind == "disc":
            return sd.cylinder(p, (x, tall, z), 0.34, 0.02, axis=2)
        return sd.box(p, (x, tall, z), (0.34, 0.46, 0.02))

    def surface(p: Point, normal: Array) -> Surface:
        away = sd.length(p[0] - x, p[1] - tall)
        painted = np.tile(np.array(face, np.float32), (len(normal), 1))
        if kind == "disc":
            painted[away > 0.25] = colour
            painted[(np.abs(p[0] - x) < 0.13) & (np.abs(p[1] - tall) < 0.11)] = linear(26, 26, 28)
        else:
            painted[:] = colour
            arrow = (np.abs(p[0] - x) < 0.05) & (np.abs(p[1] - tall) < 0.3)
            tip = np.abs(p[0] - x) + np.maximum(p[1] - tall, -1) * 0.8 < 0.24
            painted[arrow | (tip & (p[1] > tall + 0.08))] = face
        painted[normal[:, 2] > 0.5] = linear(120, 122, 124)
        return Surface(painted, 0.05)

    pole = Solid((x - 0.06, 0, z), (x + 0.06, tall + 0.3, z + 0.12),
                 lambda p: sd.cylinder(p, (x, tall / 2, z + 0.06), 0.038, tall / 2 + 0.2),
                 _plain(linear(120, 122, 122)))  # fmt: skip
    reach = 0.5
    return [
        pole,
        Solid(
            (x - reach, tall - reach, z - 0.05), (x + reach, tall + reach, z + 0.05), board, surface
        ),
    ]


def signal(x: float, z: float, lit: int) -> list[Solid]:
    """Return a traffic light facing us; ``lit`` is 0 for red, 1 for amber, 2 for green."""
    heights = (3.12, 2.80, 2.48)
    lights = ((6.5, 0.5, 0.3), (6.0, 2.6, 0.2), (0.4, 5.0, 2.2))

    def box(p: Point) -> Array:
        shape = sd.box(p, (x, 2.8, z), (0.19, 0.52, 0.12), 0.04)
        hoods = [sd.cylinder(p, (x, y, z - 0.16), 0.125, 0.09, axis=2) for y in heights]
        holes = [sd.cylinder(p, (x, y, z - 0.20), 0.105, 0.12, axis=2) for y in heights]
        return sd.carve(sd.union(shape, *hoods), sd.union(*holes))

    def surface(p: Point, normal: Array) -> Surface:
        colour = np.tile(np.array(linear(30, 31, 33), np.float32), (len(normal), 1))
        glow = np.zeros_like(colour)
        for number, y in enumerate(heights):
            lens = (
                (sd.length(p[0] - x, p[1] - y) < 0.104) & (normal[:, 2] < -0.6) & (p[2] > z - 0.15)
            )
            colour[lens] = np.array(lights[number]) * 0.02
            if number == lit:
                glow[lens] = lights[number]
        return Surface(colour, 0.04, glow)

    return [
        Solid((x - 0.1, 0, z - 0.1), (x + 0.1, 3.3, z + 0.1),
              lambda p: sd.cylinder(p, (x, 1.65, z), 0.055, 1.65), _plain(linear(88, 90, 92))),
        Solid((x - 0.22, 2.2, z - 0.3), (x + 0.22, 3.4, z + 0.15), box, surface),
    ]  # fmt: skip


def railing(x: float, z: tuple[float, float], colour: Triple) -> Solid:
    """Return a railing along the street."""

    def distance(p: Point) -> Array:
        q = (p[0] - x, p[1], p[2] - np.round(p[2] / 0.15) * 0.15)
        bars = np.maximum(np.hypot(q[0], q[2]) - 0.014, np.abs(p[1] - 0.62) - 0.5)
        rails = [
            sd.box(p, (x, y, sum(z) / 2), (0.022, 0.022, (z[1] - z[0]) / 2)) for y in (0.28, 1.05)
        ]
        posts = np.hypot(p[0] - x, p[2] - np.round(p[2] / 2.1) * 2.1) - 0.035
        return sd.union(bars, *rails, np.maximum(posts, p[1] - 1.16))

    return Solid((x - 0.1, 0, z[0]), (x + 0.1, 1.2, z[1]), distance, _plain(colour), steps=130)


def beacon(x: float, z: float, lit: bool) -> list[Solid]:
    """Return the banded pole with a yellow globe at a zebra crossing."""

    def bands(p: Point, normal: Array) -> Surface:
        dark = (np.floor(p[1] / 0.32) % 2 == 0)[:, None]
        return Surface(
            np.where(dark, np.array(linear(34, 34, 36)), np.array(linear(226, 226, 222)))
        )

    def globe(p: Point, normal: Array) -> Surface:
        amber = np.tile(np.array(linear(250, 170, 40), np.float32), (len(normal), 1))
        return Surface(amber, 0.05, mix(0, 1, np.array((4.2, 2.1, 0.3))) if lit else 0.0)

    return [
        Solid((x - 0.1, 0, z - 0.1), (x + 0.1, 2.7, z + 0.1),
              lambda p: sd.cylinder(p, (x, 1.35, z), 0.055, 1.35), bands),
        Solid((x - 0.25, 2.55, z - 0.25), (x + 0.25, 3.1, z + 0.25),
              lambda p: sd.sphere(p, (x, 2.84, z), 0.19), globe),
    ]  # fmt: skip
