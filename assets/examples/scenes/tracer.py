"""A small renderer: march rays to solids, shade under a sun and a sky, average samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from scenes.distance import Array, Point, Triple, length
from scenes.noise import mix, smooth_step

FAR = np.float32(1e6)
_NEAR_ENOUGH = 4e-4
"""a hit is this close to a surface, as a share of the distance travelled"""


@dataclass
class Surface:
    """What the points of a solid are made of; arrays of one row a point, colours linear in 0..1."""

    colour: Array
    gloss: Array | float = 0.0
    """how much of the sky mirrors in it when seen straight on, 0..1"""
    glow: Array | float = 0.0
    """light of its own, (n, 3)"""
    bump: Array | None = None
    """added to the normals, (n, 3)"""
    light: Array | float = 1.0
    """share of the sun and sky that gets here, beside the shadows of solids"""


@dataclass
class Solid:
    """Something to see: a distance inside a box, and a surface.

    Args:
        low: lowest corner of the box that holds it all.
        high: highest corner.
        distance: signed distance of points.
        surface: what it is made of, from points and normals (n, 3).
        casts: whether it throws a shadow.
        seen: whether the camera sees it.
        steps: most steps of a ray.
    """

    low: Triple
    high: Triple
    distance: Callable[[Point], Array]
    surface: Callable[[Point, Array], Surface]
    casts: bool = True
    seen: bool = True
    steps: int = 90
    caution: float = 1.0
    """share of the distance that a step goes; less for distances that are only about right"""


@dataclass
class Camera:
    """Where we look from: metres, radians, and a focal length in widths of the picture."""

    eye: Triple
    yaw: float
    pitch: float
    focal: float

    def axes(self) -> Array:
        """Return the directions of right, up and forward, one a row."""
        cy, sy, cp, sp = (f(a) for a in (self.yaw, self.pitch) for f in (np.cos, np.sin))
        forward = (sy * cp, sp, cy * cp)
        return np.array([(cy, 0, -sy), (-sy * sp, cp, -cy * sp), forward], np.float32)


@dataclass
class Light:
    """A sun, a sky and the air; colours linear, radiance of a white surface facing them."""

    sun: Triple
    sun_colour: Triple
    ambient: Triple
    bounce: Triple
    sky: Callable[[Array], Array]
    """colour (n, 3) seen in directions (n, 3)"""
    haze: Triple = (0.7, 0.75, 0.8)
    haze_per_metre: float = 0.0
    sun_width: float = 0.012
    lamps: Sequence[tuple[Triple, Triple]] = field(default_factory=list)
    """place and colour of lights that fade with the square of the distance"""


class Picture:
    """Rays of one picture, what each has met, and the colours so far."""

    def __init__(self, camera: Camera, width: int, height: int, samples: int, seed: int) -> None:
        self.camera, self.samples = camera, samples
        self.width, self.height = width * samples, height * samples
        rng = np.random.default_rng(seed)
        shake = rng.random((2, self.height, self.width), np.float32)
        rows, columns = np.indices((self.height, self.width), np.float32)
        right = (columns + shake[0]) / self.width - 0.5
        up = (0.5 * self.height - rows - shake[1]) / self.width
        rays = np.stack([right, up, np.full_like(up, camera.focal)], -1).reshape(-1, 3)
        rays = rays @ camera.axes()
        self.rays = rays / length(*rays.T)[:, None]
        self.sun_jitter = rng.standard_normal((len(rays), 3)).astype(np.float32)
        self.depth = np.full(len(rays), FAR)
        self.hit = np.full(len(rays), -1, np.int32)
        self.colour = np.zeros((len(rays), 3), np.float32)

    def points(self, index: Array) -> Point:
        """Return where some rays ended."""
        eye = np.array(self.camera.eye, np.float32)
        return tuple((eye + self.rays[index] * self.depth[index, None]).T)  # type: ignore[return-value]

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Return (column, row, distance forward) of points (n, 3)."""
        seen = (points - np.array(self.camera.eye, np.float32)) @ self.camera.axes().T
        forward = np.maximum(seen[:, 2], 1e-3)
        column = (seen[:, 0] / forward * self.camera.focal + 0.5) * self.width
        row = 0.5 * self.height - seen[:, 1] / forward * self.camera.focal * self.width
        return column, row, seen[:, 2]

    def image(self, exposure: float = 1.0) -> Array:
        """Return the picture as (row, column, 3) in 0..255, tone-mapped, samples averaged."""
        shown = film(self.colour * exposure).reshape(self.height, self.width, 3)
        rows, columns = self.height // self.samples, self.width // self.samples
        shown = shown.reshape(rows, self.samples, columns, self.samples, 3).mean((1, 3))
        return np.clip(shown * 255 + 0.5, 0, 255).astype(np.uint8)


def film(x: Array) -> Array:
    """Return display values in 0..1 for linear light, bright parts rolled off as film does."""
    x = np.maximum(x, 0)
    rolled = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return np.clip(rolled, 0, 1) ** (1 / 2.2)


def linear(*display: float) -> Triple:
    """Return a colour given as on screen (0..255) in linear light."""
    red, green, blue = (float((v / 255) ** 2.2) for v in display)
    return red, green, blue


def _through_box(solid: Solid, origin: Array, rays: Array) -> tuple[Array, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / rays
        a = (np.array(solid.low, np.float32) - origin) * inverse
        b = (np.array(solid.high, np.float32) - origin) * inverse
    near = np.nanmax(np.minimum(a, b), axis=1)
    return np.maximum(near, 0), np.nanmin(np.maximum(a, b), axis=1)


def _march(solid: Solid, origin: Array, rays: Array, t: Array, end: Array) -> Array:
    """Return how far along each ray the solid is, FAR where it is not met."""
    result = np.full(len(rays), FAR)
    alive = np.arange(len(rays))
    t = t.copy()
    for _ in range(solid.steps):
        if not len(alive):
            break
        where = origin[alive] if origin.ndim == 2 else origin
        distance = solid.distance(tuple((where + rays[alive] * t[alive, None]).T))
        close = distance < _NEAR_ENOUGH * (1 + t[alive])
        result[alive[close]] = t[alive[close]]
        t[alive] += np.maximum(distance, 1e-4) * solid.caution
        alive = alive[~close & (t[alive] < end[alive])]
    return result


def find(picture: Picture, solids: Sequence[Solid]) -> None:
    """Note for every ray the nearest solid and how far it is."""
    eye = np.array(picture.camera.eye, np.float32)
    for number, solid in enumerate(solids):
        if not solid.seen:
            continue
        near, far = _through_box(solid, eye, picture.rays)
        index = np.flatnonzero((far > near) & (near < picture.depth))
        met = _march(solid, eye, picture.rays[index], near[index], far[index])
        closer = met < picture.depth[index]
        picture.depth[index[closer]] = met[closer]
        picture.hit[index[closer]] = number


def _normals(solid: Solid, p: Point, depth: Array) -> Array:
    step = np.maximum(depth * 6e-4, 6e-4)
    normal = np.zeros((len(depth), 3), np.float32)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        value = solid.distance(tuple(p[i] + corner[i] * step for i in range(3)))  # type: ignore[arg-type]
        normal += value[:, None] * np.array(corner, np.float32)
    return normal / np.maximum(length(*normal.T), 1e-9)[:, None]


def sunlit(solids: Sequence[Solid], origin: Array, rays: Array) -> Array:
    """Return 1 for places (n, 3) whose ray to the sun (n, 3) no solid stops, else 0."""
    lit = np.ones(len(origin), np.float32)
    for solid in solids:
        if not solid.casts:
            continue
        near, far = _through_box(solid, origin, rays)
        index = np.flatnonzero((far > near) & (lit > 0))
        if len(index):
            met = _march(solid, origin[index], rays[index], near[index], far[index])
            lit[index[met < FAR]] = 0
    return lit


def _openness(solids: Sequence[Solid], p: Array, normal: Array, reach: float) -> Array:
    """Return how open the surroundings are, 0..1, from distances a little off the surface."""
    open_ = np.ones(len(p), np.float32)
    for solid in solids:
        low, high = np.array(solid.low) - reach, np.array(solid.high) + reach
        index = np.flatnonzero(((p > low) & (p < high)).all(axis=1))
        for share in (0.25, 1.0) if len(index) else ():
            off = p[index] + normal[index] * np.float32(reach * share)
            distance = solid.distance(tuple(off.T))
            blocked = np.clip(1 - distance / (reach * share), 0, 1)
            open_[index] *= 1 - 0.45 * blocked
    return open_


def shade(picture: Picture, solids: Sequence[Solid], light: Light, reach: float = 0.6) -> None:
    """Colour every ray: what it met under the sun, or the sky."""
    picture.colour[:] = light.sky(picture.rays)
    for number, solid in enumerate(solids):
        index = np.flatnonzero(picture.hit == number)
        if not len(index):
            continue
        p, rays = picture.points(index), picture.rays[index]
        normal = _normals(solid, p, picture.depth[index])
        surface = solid.surface(p, normal)
        smooth = normal
        if surface.bump is not None:
            normal = normal + surface.bump
            normal = normal / length(*normal.T)[:, None]
        at = np.stack(p, -1) + smooth * np.float32(2e-3) * (1 + picture.depth[index, None] * 0.2)
        open_ = (
            _openness([s for s in solids if s.casts and s.seen], at, smooth, reach) * surface.light
        )
        sun = np.array(light.sun, np.float32) + picture.sun_jitter[index] * light.sun_width
        facing = np.clip(np.einsum("ij,ij->i", normal, sun), 0, None)
        towards = np.flatnonzero(facing > 0)
        lit = np.zeros(len(index), np.float32)
        lit[towards] = sunlit(solids, at[towards], sun[towards])
        received = (facing * lit * surface.light)[:, None] * np.array(light.sun_colour)
        upward = (0.5 + 0.5 * normal[:, 1])[:, None]
        around = mix(np.array(light.bounce), np.array(light.ambient), upward)
        received = received + around * open_[:, None]
        for place, strength in light.lamps:
            received = received + _lamp(place, strength, at, normal)
        colour = surface.colour * received + surface.glow
        picture.colour[index] = _with_mirror(
            colour, surface, rays, normal, light, open_ * (0.4 + 0.6 * lit)
        )
    if light.haze_per_metre:
        met = picture.hit >= 0
        thick = 1 - np.exp(-picture.depth[met] * light.haze_per_metre)
        picture.colour[met] = mix(picture.colour[met], np.array(light.haze), thick[:, None])


def _lamp(place: Triple, strength: Triple, at: Array, normal: Array) -> Array:
    to = np.array(place, np.float32) - at
    away = length(*to.T)
    facing = np.clip(np.einsum("ij,ij->i", normal, to) / away, 0, None)
    return (facing / (away**2 + 0.05))[:, None] * np.array(strength)


def _with_mirror(
    colour: Array, surface: Surface, rays: Array, normal: Array, light: Light, open_: Array
) -> Array:
    gloss = np.asarray(surface.gloss, np.float32) * np.ones(len(rays), np.float32)
    if not gloss.any():
        return colour
    cosine = np.clip(-np.einsum("ij,ij->i", rays, normal), 0, 1)
    mirrored = rays + 2 * cosine[:, None] * normal
    fresnel = gloss + (np.minimum(gloss * 6, 1) - gloss) * (1 - cosine) ** 5
    seen = light.sky(mirrored)
    # Below the horizon stands the street, which is darker than any sky.
    seen = mix(
        np.array(light.bounce) * 0.5, seen, smooth_step(-0.05, 0.25, mirrored[:, 1])[:, None]
    )
    sun = np.clip(mirrored @ np.array(light.sun, np.float32), 0, 1) ** 350
    seen = seen + 7 * sun[:, None] * np.array(light.sun_colour)
    return mix(colour, seen, (fresnel * (0.3 + 0.7 * open_))[:, None])


def grain(image: Array, strength: float, seed: int) -> Array:
    """Return a picture in 0..255 with the fine noise of a camera's sensor."""
    noise = np.random.default_rng(seed).normal(0, strength, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
