"""People as polygons: standing and walking, from all sides, in all sorts of clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.view import Colour, Material, colour

Points = np.ndarray
Place = tuple[float, float]

CLOTHES = [colour(code) for code in (
    "15171c", "1d2233", "22262b", "2b2b2e", "33353b", "1a2a44", "3b4250", "4a4d52", "6d7075",
    "8c8f94", "c9cacc", "e9e9e6", "f4f2ec", "7d6a52", "a08b6d", "cfc0a2", "5b4636", "36402f",
    "55614a", "7a1f24", "b3262c", "d2574a", "e08a2e", "e6c14a", "2d5f9a", "4f86c4", "9cc0de",
    "2f6f62", "6fa287", "6a3f74", "b67fae", "e2a9b4",
)]  # fmt: skip
TROUSERS = [colour(code) for code in (
    "14161b", "1b1f2a", "23262c", "1f2c47", "2a3c60", "46628f", "303236", "4b4d50", "6f6b62",
    "9c8f78", "c4b79c", "d8d6d0",
)]  # fmt: skip
SKINS = [colour(code) for code in ("f0c9ac", "e3b48f", "d9a37a", "b97f58", "8d5a3b", "5f3b28")]
HAIRS = [colour(code) for code in ("0f0d0c", "1c1613", "2e2019", "4a3222", "7d5a34", "b39a72",
                                   "8f8f8f", "d6d3ce")]  # fmt: skip
TURN = np.linspace(0, 2 * np.pi, 12, endpoint=False)
ARC = np.linspace(-np.pi / 2, np.pi / 2, 6)


@dataclass(frozen=True)
class Figure:
    """A person's polygons in metres: u to the right, v up, between the feet at (0, 0)."""

    parts: tuple[tuple[Points, Material], ...]
    tall: float
    """metres from the sole to the top of the head"""
    head: Place

    def outline(self) -> list[Points]:
        """Return the polygons alone, for a shadow."""
        return [points for points, _ in self.parts]


@dataclass(frozen=True)
class Outfit:
    """What a person wears, as materials."""

    top: Material
    sleeve: Material
    legs: Material
    shins: Material
    shoes: Material
    skin: Material
    hair: Material
    bag: Material
    coat: float
    """how far the top reaches below the hip, as a share of the height"""
    skirt: bool
    long_hair: bool
    pack: bool
    hat: bool
    umbrella: bool


def limb(start: Place, end: Place, wide: float, narrow: float) -> Points:
    """Return a rod with round ends, ``wide`` and ``narrow`` being the radii at start and end."""
    angle = np.arctan2(end[1] - start[1], end[0] - start[0])
    there, back = angle + ARC, angle + np.pi + ARC
    return np.concatenate([
        np.stack([end[0] + narrow * np.cos(there), end[1] + narrow * np.sin(there)], 1),
        np.stack([start[0] + wide * np.cos(back), start[1] + wide * np.sin(back)], 1),
    ])  # fmt: skip


def oval(centre: Place, across: float, up: float) -> Points:
    """Return an ellipse with these half axes."""
    return np.stack([centre[0] + across * np.cos(TURN), centre[1] + up * np.sin(TURN)], 1)


def _shade(material: Material, factor: float) -> Material:
    red, green, blue = material.rgb
    return material._replace(rgb=(red * factor, green * factor, blue * factor))


def outfit(rng: np.random.Generator, climate: Climate) -> Outfit:
    """Return clothes that suit the air; a third of all are dark from head to foot at night."""

    def pick(colours: list[Colour]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    cold = climate.air < 14
    dark = climate.night and rng.random() < 0.35
    cloth = pick(CLOTHES[:7] if dark or (cold and rng.random() < 0.4) else CLOTHES)
    insulation = float(rng.uniform(0.55, 0.93) if cold else rng.uniform(0.2, 0.6))
    # Dark cloth in the sun is warmer than the air, bright cloth hardly.
    sunny = climate.warming * 0.35 * (1 - float(np.mean(cloth)))
    top = Material(cloth, climate.of_cloth(insulation) + sunny)
    skin = Material(pick(SKINS), climate.of_skin())
    leg_colour = pick(TROUSERS[:5] if dark else TROUSERS)
    legs = Material(leg_colour, climate.of_cloth(float(rng.uniform(0.35, 0.7))) + sunny * 0.7)
    bare = not cold and rng.random() < 0.45
    coat = float(rng.uniform(0.1, 0.24)) if cold and rng.random() < 0.5 else 0.0
    return Outfit(
        top=top,
        sleeve=skin._replace(heat=skin.heat - 1.5) if bare else _shade(top, 0.9),
        legs=legs,
        shins=skin._replace(heat=skin.heat - 2) if bare and rng.random() < 0.6 else legs,
        shoes=Material(pick([*TROUSERS[:4], *CLOTHES[9:13]]), climate.of_cloth(0.85)),
        skin=skin,
        hair=Material(pick(HAIRS), climate.of_cloth(0.45) + sunny),
        bag=Material(pick(CLOTHES), climate.of_cloth(0.95)),
        coat=coat,
        skirt=bool(rng.random() < 0.15),
        long_hair=bool(rng.random() < 0.4),
        pack=bool(rng.random() < 0.22),
        hat=bool(rng.random() < 0.1),
        umbrella=bool(rng.random() < 0.02),
    )


def figure(rng: np.random.Generator, climate: Climate, side: float | None = None) -> Figure:
    """Return a person.

    Args:
        rng: where chance comes from.
        climate: decides on clothes and on how warm they are.
        side: where the person goes: -1 left, 1 right, 0 towards the camera or away; by chance
            where none.
    """
    tall = float(np.clip(rng.normal(1.69, 0.09), 1.5, 1.93))
    if rng.random() < 0.06:
        tall = float(rng.uniform(1.0, 1.4))
    wears = outfit(rng, climate)
    if side is None:
        side = float(rng.choice([-1.0, 0.0, 0.0, 1.0]))
    step = float(rng.uniform(-1, 1)) if rng.random() < 0.75 else float(rng.uniform(-0.15, 0.15))
    width = float(rng.normal(1.0, 0.09)) * (1.12 if wears.coat else 1.0)
    parts = (
        _from_the_side(rng, wears, step, width)
        if side
        else _from_the_front(rng, wears, step, width, bool(rng.random() < 0.5))
    )
    mirror = -1.0 if side < 0 else 1.0
    scaled = tuple((points * [tall * mirror, tall], material) for points, material in parts)
    head = (0.03 * tall * mirror, 0.93 * tall) if side else (0.0, 0.93 * tall)
    return Figure(scaled, tall, head)


def seated_rider(rng: np.random.Generator, climate: Climate, side: float) -> Figure:
    """Return a person on a bicycle, seen from the side or, with side 0, from the front."""
    wears = outfit(rng, climate)
    metal = Material(colour("3a3d42"), climate.air + 1)
    tyre = Material(colour("141414"), climate.air + 3)
    if not side:
        wheel = [(limb((0, 0.03), (0, 0.62), 0.025, 0.025), tyre),
                 (limb((-0.27, 0.98), (0.27, 0.98), 0.02, 0.02), metal)]  # fmt: skip
        upper = [(points * [1.7, 1.7] + [0, 0.14], material) for points, material
                 in _from_the_front(rng, wears, 0.0, 1.0, bool(rng.random() < 0.5))]  # fmt: skip
        return Figure((*upper[:4], *wheel, *upper[4:]), 1.84, (0.0, 1.72))
    front, back = (0.52, 0.34), (-0.5, 0.34)
    saddle, bar, crank = (-0.24, 0.92), (0.4, 1.02), (-0.04, 0.3)
    hip, shoulder = (-0.24, 1.0), (0.05, 1.5)
    knee, foot = (0.16, 0.74), (0.0, 0.2)
    parts: list[tuple[Points, Material]] = []
    for hub in (front, back):
        ring = np.concatenate([oval(hub, 0.34, 0.34), oval(hub, 0.34, 0.34)[:1],
                               oval(hub, 0.3, 0.3)[::-1], oval(hub, 0.3, 0.3)[-1:]])  # fmt: skip
        parts.append((ring, tyre))
    frame = ((back, saddle), (saddle, crank), (crank, back), (crank, bar), (front, bar))
    parts += [(limb(a, b, 0.022, 0.022), metal) for a, b in frame]
    parts += [
        (limb(hip, knee, 0.1, 0.07), wears.legs),
        (limb(knee, foot, 0.065, 0.045), wears.shins),
        (limb(foot, (0.12, 0.17), 0.045, 0.035), wears.shoes),
        (limb(hip, shoulder, 0.15, 0.15), wears.top),
        (limb(shoulder, (0.22, 1.2), 0.06, 0.05), wears.sleeve),
        (limb((0.22, 1.2), bar, 0.05, 0.04), wears.sleeve),
        (oval((0.15, 1.68), 0.095, 0.125), wears.skin),
        (oval((0.12, 1.74), 0.105, 0.085), wears.hair),
    ]
    mirror = np.array([-1.0 if side < 0 else 1.0, 1.0])
    return Figure(
        tuple((points * mirror, m) for points, m in parts), 1.82, (0.15 * mirror[0], 1.68)
    )


def _from_the_side(
    rng: np.random.Generator, wears: Outfit, step: float, width: float
) -> list[tuple[Points, Material]]:
    hip, shoulder = (0.0, 0.52), (0.015, 0.8)
    parts: list[tuple[Points, Material]] = []

    def leg(swing: float, dark: float) -> None:
        knee = (hip[0] + 0.25 * np.sin(0.5 * swing), hip[1] - 0.245 * np.cos(0.5 * swing))
        bend = 0.5 * swing - (0.75 if swing < 0 else 0.12) * abs(swing)
        foot = (knee[0] + 0.235 * np.sin(bend), knee[1] - 0.235 * np.cos(bend))
        parts.append((limb(foot, (foot[0] + 0.075, foot[1] - 0.012), 0.024, 0.016),
                      _shade(wears.shoes, dark)))  # fmt: skip
        parts.append((limb(knee, foot, 0.038, 0.025), _shade(wears.shins, dark)))
        parts.append((limb(hip, knee, 0.062 * width, 0.042), _shade(wears.legs, dark)))

    def arm(swing: float, dark: float) -> None:
        elbow = (shoulder[0] + 0.16 * np.sin(0.6 * swing), shoulder[1] - 0.16 * np.cos(0.6 * swing))
        bend = 0.6 * swing + 0.35
        hand = (elbow[0] + 0.15 * np.sin(bend), elbow[1] - 0.15 * np.cos(bend))
        parts.append((limb(shoulder, elbow, 0.04, 0.03), _shade(wears.sleeve, dark)))
        parts.append((limb(elbow, hand, 0.03, 0.022), _shade(wears.sleeve, dark)))
        parts.append((oval((hand[0], hand[1] - 0.015), 0.021, 0.026), wears.skin))

    arm(step, 0.6)
    leg(-step, 0.65)
    leg(step, 1.0)
    if wears.pack:
        parts.append((limb((-0.105, 0.76), (-0.105, 0.6), 0.055, 0.065), wears.bag))
    if wears.skirt:
        parts.append((np.array([(-0.06, 0.56), (0.06, 0.56), (0.12, 0.32), (-0.11, 0.32)]),
                      wears.legs))  # fmt: skip
    deep = 0.078 * width
    low = hip[1] - 0.04 - wears.coat
    parts.append((np.array([(-deep * 0.8, low), (-deep * 0.9, 0.62), (-deep * 1.05, 0.76),
                            (-0.04, 0.835), (0.045, 0.835), (deep * 1.1, 0.74),
                            (deep * 0.95, 0.6), (deep * 0.95, low)]), wears.top))  # fmt: skip
    parts.append((limb((0.015, 0.82), (0.025, 0.88), 0.036, 0.034), _shade(wears.skin, 0.8)))
    parts.append((oval((0.03, 0.928), 0.052, 0.07), wears.skin))
    parts.append((oval((0.012, 0.95), 0.056, 0.052), wears.hair))
    if wears.long_hair:
        parts.append((limb((-0.018, 0.94), (-0.028, 0.82), 0.036, 0.028), wears.hair))
    _on_the_head(parts, wears, 0.015)
    arm(-step, 0.88)
    return parts


def _from_the_front(
    rng: np.random.Generator, wears: Outfit, step: float, width: float, away: bool
) -> list[tuple[Points, Material]]:
    parts: list[tuple[Points, Material]] = []
    broad = 0.115 * width

    def leg(side: float, lift: float) -> None:
        foot = 0.035 + max(lift, 0) * 0.06
        knee = (side * 0.05, 0.275 + max(lift, 0) * 0.02)
        shade = 1.0 if lift >= 0 else 0.82
        parts.append((oval((side * 0.058, foot - 0.012), 0.032, 0.022), wears.shoes))
        parts.append((limb(knee, (side * 0.052, foot + 0.01), 0.04, 0.027),
                      _shade(wears.shins, shade)))  # fmt: skip
        parts.append((limb((side * 0.048, 0.5), knee, 0.06 * width, 0.043),
                      _shade(wears.legs, shade)))  # fmt: skip

    def arm(side: float, swing: float) -> None:
        shoulder = (side * (broad - 0.012), 0.785)
        elbow = (side * (broad + 0.03), 0.63 + 0.012 * swing)
        hand = (side * (broad + 0.022 - 0.02 * abs(swing)), 0.49 + 0.05 * swing)
        parts.append((limb(shoulder, elbow, 0.038, 0.031), wears.sleeve))
        parts.append((limb(elbow, hand, 0.031, 0.022), wears.sleeve))
        parts.append((oval((hand[0], hand[1] - 0.015), 0.02, 0.027), wears.skin))

    leg(-1, step)
    leg(1, -step)
    if wears.skirt:
        parts.append((np.array([(-0.085, 0.56), (0.085, 0.56), (0.13, 0.31), (-0.13, 0.31)]),
                      wears.legs))  # fmt: skip
    arm(-1, max(-step, 0))
    arm(1, max(step, 0))
    low = 0.475 - wears.coat
    hem = 0.1 * width + 0.12 * wears.coat
    parts.append((np.array([(-hem, low), (-0.085 * width, 0.6), (-broad * 0.98, 0.74),
                            (-broad * 0.92, 0.8), (-0.045, 0.838), (0.045, 0.838),
                            (broad * 0.92, 0.8), (broad * 0.98, 0.74), (0.085 * width, 0.6),
                            (hem, low)]), wears.top))  # fmt: skip
    if away and wears.pack:
        parts.append((oval((0, 0.68), 0.092, 0.125), wears.bag))
    elif not away and rng.random() < 0.3:
        parts.append((np.array([(-0.022, 0.82), (0.022, 0.82), (0.03, low), (-0.03, low)]),
                      _shade(wears.bag, 0.9)))  # fmt: skip
    neck = _shade(wears.hair if away and wears.long_hair else wears.skin, 0.82)
    parts.append((limb((0, 0.82), (0, 0.87), 0.038, 0.036), neck))
    if wears.long_hair and not away:
        parts.append((oval((0, 0.905), 0.066, 0.082), wears.hair))
    parts.append((oval((0, 0.928), 0.05, 0.069), wears.hair if away else wears.skin))
    parts.append((oval((0, 0.962 if not away else 0.945), 0.053, 0.036 if not away else 0.055),
                  wears.hair))  # fmt: skip
    if wears.long_hair and away:
        parts.append((limb((0, 0.93), (0, 0.8), 0.055, 0.05), wears.hair))
    _on_the_head(parts, wears, 0.0)
    return parts


def _on_the_head(parts: list[tuple[Points, Material]], wears: Outfit, middle: float) -> None:
    if wears.hat:
        parts.append(
            (limb((middle - 0.055, 0.965), (middle + 0.06, 0.962), 0.012, 0.01), wears.bag)
        )
        parts.append((oval((middle, 0.978), 0.055, 0.04), wears.bag))
    if wears.umbrella:
        rod = _shade(wears.bag, 0.5)
        parts.append((limb((middle + 0.12, 0.7), (middle + 0.1, 1.1), 0.008, 0.006), rod))
        roof = [(0.1 + 0.34 * np.cos(a), 1.03 + 0.15 * np.sin(a)) for a in np.linspace(0, np.pi, 9)]
        parts.append((np.array(roof), wears.bag))
