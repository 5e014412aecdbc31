"""Where it happens: the ground in strips, buildings and greens along it, the sky above."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.texture import between, noise, smooth_noise, stripes
from models.training.scenes.view import FAR, Canvas, Colour, Field, colour


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
BRICK_PAVING = Surface(colour("8a6a58"), 0.0, 0.8, 0.08, 0.45)
KERB = Surface(colour("b3b0a8"), 0.2, 0.7, 0.05, 1.0)
GRASS = Surface(colour("5b7537"), -2.5, 0.25, 0.28)
GRAVEL = Surface(colour("a99c84"), 0.0, 0.8, 0.2)


@dataclass(frozen=True)
class Building:
    """A box beside the street, its inner wall at ``inner``, its near wall at ``near``."""

    inner: float
    near: float
    far: float
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
    """places (x, y, z) of street lamps' light"""
    skyline: int
    manholes: tuple[tuple[float, float], ...] = field(default=())


WALLS = [colour(code) for code in ("b9b2a4", "cfc6b4", "8e5a45", "a7735a", "d8d3c8", "8d9094",
                                   "c2a27c", "77706a", "a9b0b3", "e1d8c3", "6d4a3e")]  # fmt: skip


def street(rng: np.random.Generator, people: int) -> Street:
    """Return a place: a street, a path across a campus or a park, or a square for many people."""
    kind = rng.choice(["street", "path", "square"], p=[0.5, 0.25, 0.25] if people < 12 else
                      [0.35, 0.15, 0.5])  # fmt: skip
    edges: tuple[float, ...]
    strips: tuple[Surface, ...]
    if kind == "street":
        left, right = -float(rng.uniform(2.5, 6)), float(rng.uniform(2.5, 6))
        walk_left, walk_right = float(rng.uniform(1.6, 4.5)), float(rng.uniform(1.6, 4.5))
        edges = (left - walk_left, left - 0.18, left, right, right + 0.18, right + walk_right)
        side = PAVING if rng.random() < 0.6 else BRICK_PAVING
        verge = GRASS if rng.random() < 0.4 else side
        tar = ASPHALT if rng.random() < 0.6 else OLD_ASPHALT
        strips = (verge, side, KERB, tar, KERB, side, verge)
        road = (left, right)
        walks: tuple[tuple[float, float], ...] = (
            (left - walk_left, left), (right, right + walk_right), (left, right))  # fmt: skip
        wall = (left - walk_left, right + walk_right)
    else:
        half = float(rng.uniform(2, 4.5) if kind == "path" else rng.uniform(7, 16))
        edges = (-half - 0.15, -half, half, half + 0.15)
        ground = [ASPHALT, GRAVEL, PAVING, BRICK_PAVING][int(rng.integers(4))]
        verge = GRASS if kind == "path" else ground
        strips = (verge, KERB, ground, KERB, verge)
        road = (0.0, 0.0)
        walks = ((-half, half),)
        wall = (-half - float(rng.uniform(0.5, 5)), half + float(rng.uniform(0.5, 5)))
    buildings = _row(rng, wall[0], -1, kind) + _row(rng, wall[1], 1, kind)
    lamp_side = edges[1] - 0.3 if rng.random() < 0.5 else edges[-2] + 0.3
    start, gap = float(rng.uniform(6, 18)), float(rng.uniform(14, 30))
    lamps = tuple(
        (lamp_side if index % 2 or rng.random() < 0.6 else -lamp_side, 5.5, start + index * gap)
        for index in range(4)
    )
    crossing = float(rng.uniform(9, 26)) if kind == "street" and rng.random() < 0.35 else None
    holes = tuple(
        (float(rng.uniform(edges[0], edges[-1])), float(rng.uniform(4, 25)))
        for _ in range(int(rng.integers(0, 4)))
    )
    return Street(edges, strips, road, walks, tuple(buildings), crossing, lamps,
                  int(rng.integers(1 << 16)), holes)  # fmt: skip


def _row(rng: np.random.Generator, inner: float, side: int, kind: str) -> list[Building]:
    place = float(rng.uniform(-4, 16))
    built = {"street": 0.75, "path": 0.3, "square": 0.6}[kind]
    row = []
    while place < 150:
        length = float(rng.uniform(9, 30))
        if rng.random() < built:
            storey = float(rng.uniform(2.9, 3.8))
            row.append(Building(
                inner + side * float(rng.uniform(0, 2.5)), max(place, 1.0), place + length,
                storey * int(rng.integers(2, 8)) + 0.8, WALLS[int(rng.integers(len(WALLS)))],
                storey, float(rng.uniform(1.6, 4.2)), float(rng.uniform(0.4, 0.75)),
                bool(rng.random() < 0.4), bool(rng.random() < 0.4),
                float(rng.uniform(0, 0.4)) ** 1.5, int(rng.integers(1 << 16)),
                float(rng.uniform(-0.5, 2.5)),
            ))  # fmt: skip
        place += length + (float(rng.uniform(3, 14)) if rng.random() < 0.4 else 0.0)
    return row


def in_shade(street: Street, climate: Climate, x: Field, z: Field) -> Field:
    """Return 1 where a building keeps the sun off the ground, else 0, blurred by half a metre."""
    shade = np.zeros(np.broadcast_shapes(x.shape, z.shape), np.float32)
    across, along = climate.shadow
    for building in street.buildings:
        side = np.sign(building.inner)
        if side * across >= 0:
            continue
        reach = building.inner + across * building.tall
        middle = along * 0.5 * building.tall
        within = between(z, building.near + middle, building.far + middle, 0.6)
        beyond = (x - reach) * side
        shade = np.maximum(shade, np.clip(0.5 + beyond / 0.5, 0, 1) * within)
    return shade


def paint_sky(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the whole canvas with sky and, at the horizon, what stands far away."""
    view = canvas.view
    x, y = view.columns(), view.rows()
    up = np.clip((view.horizon - y) / view.height, 0, 1)
    cloud = smooth_noise(1.6, x * 0.25, y * 0.5, street.skyline % 89)
    cloud = np.clip(cloud * 0.5 + 1.6 * climate.overcast - 0.4, 0, 1)[..., None]
    if climate.night:
        base = np.array([0.004, 0.005, 0.008]) + np.exp(-up * 7)[..., None] * [0.012, 0.01, 0.007]
        bright = base * (1 + 1.2 * cloud)
    else:
        clear = np.array([0.3, 0.52, 0.95]) * 0.9 + np.exp(-up * 4)[..., None] * [0.5, 0.42, 0.22]
        bright = clear * (1 - cloud) + cloud * np.array([1.05, 1.07, 1.1])
    canvas.glow[:] = bright
    canvas.heat[:] = climate.sky_heat + (climate.air - climate.sky_heat) * np.exp(-up * 5) * 0.8
    canvas.heat += cloud[..., 0] * 4
    _far_trees(canvas, climate, street)


def _far_trees(canvas: Canvas, climate: Climate, street: Street) -> None:
    view = canvas.view
    x, y = view.columns(), view.rows()
    rise = 0.06 + 0.022 * smooth_noise(1.2, x * 0.12, np.zeros_like(x), street.skyline % 83)
    rise = rise + 0.004 * noise(0.5, x, np.zeros_like(x), 3)
    edge = view.horizon - rise * view.height
    bottom = view.horizon + 2
    window = view.box(-view.margin[0], float(edge.min()) - 2, view.width + view.margin[0], bottom)
    if window is None:
        return
    y = y[window[0]]
    share = np.clip(y - edge + 0.5, 0, 1)
    leaves = 1 + 0.35 * noise(0.6, x / 1.5, y / 1.5, 5)
    green = np.array([0.05, 0.085, 0.03], np.float32) * leaves[..., None]
    canvas.cover(window, share, green, climate.air + 0.6 * noise(0.6, x, y, 6), 160.0, 0.5)


def paint_ground(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the flat ground with its strips, joints, markings, manholes and shadows of walls."""
    view = canvas.view
    window = view.box(-view.margin[0], view.horizon + 1.5, view.width + view.margin[0],
                      view.height + view.margin[1])  # fmt: skip
    if window is None:
        return
    y, columns = view.rows()[window[0]], view.columns()
    z = np.minimum(view.focal * view.eye / (y - view.horizon), 400.0)
    across, along = z / view.focal, z**2 / (view.focal * view.eye)
    x = (columns - view.ahead) * across
    rgb, heat, warming, rough, slab = _strips(street, x, across)
    joint = np.maximum(stripes(x, 0.9, 0.02, across), stripes(z, 0.9, 0.02, along))
    grain = noise(0.35, x / 0.03, z / 0.03, 1) / (1 + along / 0.02)
    stain = smooth_noise(1.3, x / 0.11, z / 0.2, 2)
    crack = _cracks(x, z, along) * (slab == 0) * (rough < 0.2)
    shade = 1 + rough * (0.9 * grain + 0.55 * stain) - 0.25 * joint * (slab > 0) - 0.35 * crack
    rgb = rgb * np.clip(shade, 0.3, 1.8)[..., None]
    sun = 1 - in_shade(street, climate, x, z)
    paint = _markings(street, x, z, across, along) * np.clip(0.75 + 0.3 * grain, 0.2, 1)
    rgb += (np.array([0.62, 0.62, 0.58], np.float32) - rgb) * paint[..., None]
    heat = heat + climate.stored + climate.air + warming * climate.warming * (0.15 + 0.85 * sun)
    heat += 0.35 * stain + 0.5 * rough * grain * 3 - 1.2 * paint * (climate.warming > 2)
    for hole_x, hole_z in street.manholes:
        ring = np.hypot(x - hole_x, z - hole_z)
        lid = between(ring, -1.0, 0.34, across)
        ribs = 0.6 + 0.5 * stripes(x + z, 0.12, 0.06, along)
        rgb += (np.array([0.1, 0.1, 0.1]) * ribs[..., None] - rgb) * lid[..., None]
        heat += lid * (3.5 if climate.night else 1.0)
    canvas.cover(window, np.ones_like(x), rgb, heat, z, sun)


def _strips(street: Street, x: Field, across: Field) -> tuple[Field, ...]:
    table = np.array([[*s.rgb, s.heat, s.warming, s.rough, s.slab] for s in street.strips],
                     np.float32)  # fmt: skip
    edges = np.array(street.edges, np.float32)
    low = table[np.searchsorted(edges, x - across / 4)]
    values = (low + table[np.searchsorted(edges, x + across / 4)]) / 2
    return values[..., :3], values[..., 3], values[..., 4], values[..., 5], values[..., 6]


def _cracks(x: Field, z: Field, along: Field) -> Field:
    line = np.abs(smooth_noise(1.5, x / 0.07, z / 0.1, 9))
    return np.clip(1 - line / 0.03, 0, 1) / (1 + along / 0.1)


def _markings(street: Street, x: Field, z: Field, across: Field, along: Field) -> Field:
    left, right = street.road
    if right - left < 3:
        return np.zeros_like(x)
    middle = (left + right) / 2
    dashed = between(x, middle - 0.07, middle + 0.07, across) * stripes(z, 9.0, 4.5, along)
    sides = between(x, left + 0.3, left + 0.44, across) + between(
        x, right - 0.44, right - 0.3, across
    )
    lines = np.clip(dashed + sides, 0, 1)
    if street.crossing is None:
        return lines
    start = street.crossing
    zebra = stripes(x - left, 0.95, 0.48, across) * between(x, left, right, across)
    inside = between(z, start, start + 3.2, along)
    stop = between(z, start - 2.0, start - 1.6, along) * between(x, middle, right, across)
    return np.clip(lines * (1 - between(z, start - 2, start + 3.6, along)) + zebra * inside + stop,
                   0, 1)  # fmt: skip


def paint_buildings(canvas: Canvas, climate: Climate, street: Street) -> None:
    """Paint the buildings, the farthest first."""
    for building in sorted(street.buildings, key=lambda one: -one.near):
        _near_wall(canvas, climate, building)
        _inner_wall(canvas, climate, building)


def _inner_wall(canvas: Canvas, climate: Climate, building: Building) -> None:
    view = canvas.view
    near, far = (
        view.ahead + view.focal * building.inner / z for z in (building.near, building.far)
    )
    top = view.horizon - view.focal * (building.tall - view.eye) / building.near
    bottom = view.horizon + view.focal * view.eye / building.near
    window = view.box(min(near, far), top, max(near, far), bottom)
    if window is None:
        return
    x, y = view.columns()[:, window[1]], view.rows()[window[0]]
    z = view.focal * building.inner / (x - view.ahead)
    z = np.clip(z, building.near, building.far).astype(np.float32)
    above = view.eye - (y - view.horizon) * z / view.focal
    along = z**2 / (view.focal * abs(building.inner))
    towards = max(0.0, float(np.sign(building.inner)) * -climate.shadow[0])
    # The wall faces the street: it has sun when its own shadow falls away from the street.
    _facade(canvas, climate, building, window, z, above, along, z / view.focal, z,
            0.0 if towards else min(1.0, abs(climate.shadow[0]) * 0.7))  # fmt: skip


def _near_wall(canvas: Canvas, climate: Climate, building: Building) -> None:
    view, z = canvas.view, building.near
    if z <= 2.0:
        return
    outer = building.inner + np.sign(building.inner) * 14
    left, right = sorted(view.ahead + view.focal * place / z for place in (building.inner, outer))
    top = view.horizon - view.focal * (building.tall - view.eye) / z
    window = view.box(left, top, right, view.horizon + view.focal * view.eye / z)
    if window is None:
        return
    x, y = view.columns()[:, window[1]], view.rows()[window[0]]
    above = view.eye - (y - view.horizon) * z / view.focal
    pixel = np.full_like(x, z / view.focal)
    _facade(canvas, climate, building, window, (x - view.ahead) * z / view.focal, above, pixel,
            pixel, np.full_like(x, z), 0.85 if climate.shadow[1] > 0.1 else 0.0)  # fmt: skip


def _facade(
    canvas: Canvas,
    climate: Climate,
    building: Building,
    window: tuple[slice, slice],
    u: Field,
    v: Field,
    wide: Field,
    high: Field,
    depth: Field,
    sun: float,
) -> None:
    """Paint a wall: u along it and v above the ground in metres, wide and high a pixel's extent."""
    share = between(v, 0.0, building.tall, high)
    pane, bay, floor = building.pane, building.bay, building.floor
    base = 3.4 if building.shop else 0.6
    upper = between(v, base, building.tall - 0.7, high)
    sill = v - base - 0.25 * floor
    panes = stripes(u, bay, bay * pane, wide) * stripes(sill, floor, floor * pane, high) * upper
    frame = stripes(u + 0.1, bay, bay * pane + 0.2, wide) * upper
    frame = frame * stripes(sill + 0.1, floor, floor * pane + 0.2, high) - panes
    chance = np.random.default_rng(building.seed).random((64, 64)).astype(np.float32)
    cells = chance[np.floor(sill / floor).astype(np.int64) % 64,
                   np.floor(u / bay).astype(np.int64) % 64]  # fmt: skip
    grain = smooth_noise(1.0, u / 0.15, v / 0.15, building.seed % 31)
    wall = np.array(building.wall, np.float32) * (1 + 0.06 * grain)[..., None]
    if building.brick:
        wall *= (1 - 0.12 * stripes(v, 0.35, 0.06, high))[..., None]
    cornice = between(v, building.tall - 0.45, building.tall, high)
    wall *= (1 - 0.3 * cornice - 0.25 * between(v, 0, 0.5, high))[..., None]
    wall += (np.array([0.4, 0.39, 0.37]) - wall) * (0.6 * frame)[..., None]
    mirror = 0.03 + 0.25 * cells**2 * (0.15 if climate.night else 1.0)
    glass = mirror[..., None] * np.array([0.8, 0.95, 1.15], np.float32)
    rgb = wall * (1 - panes)[..., None] + glass * panes[..., None]
    lit = panes * (cells < building.lit) * (0.4 + cells * 2)
    glow = lit[..., None] * np.array([1.0, 0.78, 0.45], np.float32) * (0.5 if climate.night else 0)
    heat = climate.air + climate.stored + building.warm + 0.3 * grain
    heat = heat + 0.7 * climate.warming * sun - panes * (1.5 - 3 * cells) + 2.5 * lit
    if building.shop:
        front = stripes(u, 4.2, 3.7, wide) * between(v, 0.5, 2.6, high)
        sign = between(v, 2.65, 3.3, high)
        goods = np.array([0.35, 0.3, 0.25]) * (0.4 + 0.8 * chance[
            np.floor(v / 0.5).astype(np.int64) % 64, np.floor(u / 0.4).astype(np.int64) % 64
        ])[..., None]  # fmt: skip
        tint = np.random.default_rng(building.seed + 1).random(3).astype(np.float32) ** 2 * 0.6
        rgb = rgb + (goods - rgb) * front[..., None]
        rgb = rgb + (tint - rgb) * sign[..., None]
        light = (front * 0.9 + sign * 0.25)[..., None] * (goods + 0.1) * [1.0, 0.85, 0.6]
        glow = glow + light * (0.8 if climate.night and building.seed % 3 else 0.05)
        heat = heat + 4 * front
    glow = np.clip(glow, 0, None) * share[..., None]
    canvas.cover(window, share, rgb, heat, np.minimum(depth, FAR), sun, glow)
