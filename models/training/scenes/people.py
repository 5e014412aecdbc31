"""People as polygons: standing and walking, from all sides, in all sorts of clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.outfits import Outfit, outfit, shaded
from models.training.scenes.view import Material, colour

Points = np.ndarray
Parts = list[tuple[Points, Material]]
Place = tuple[float, float]

METAL, TYRE = colour("3a3d42"), colour("141414")
TURN = np.linspace(0, 2 * np.pi, 12, endpoint=False)
RING = np.stack([np.cos(TURN), np.sin(TURN)], 1)
ARC = np.linspace(-np.pi / 2, np.pi / 2, 6)


@dataclass(frozen=True)
class Figure:
    """A person's polygons in metres: u to the right, v up, between the feet at (0, 0)."""

    parts: Parts
    head: Place


def limb(start: Place, end: Place, wide: float, narrow: float) -> Points:
    """Return a rod with round ends, ``wide`` and ``narrow`` being the radii at start and end."""
    there = np.arctan2(end[1] - start[1], end[0] - start[0]) + ARC
    cap = np.stack([np.cos(there), np.sin(there)], 1)
    return np.concatenate([end + narrow * cap, start - wide * cap])


def oval(centre: Place, across: float, up: float) -> Points:
    """Return an ellipse with these half axes."""
    return RING * (across, up) + centre


def figure(rng: np.random.Generator, climate: Climate, side: float) -> Figure:
    """Return a person on foot.

    Args:
        rng: where chance comes from.
        climate: decides on clothes and on how warm they are.
        side: where the person goes: -1 left, 1 right, 0 towards the camera or away.
    """
    tall = float(np.clip(rng.normal(1.69, 0.09), 1.5, 1.93))
    if rng.random() < 0.06:
        tall = float(rng.uniform(1.0, 1.4))
    wears = outfit(rng, climate)
    step = (
        float(rng.uniform(-0.85, 0.85)) if rng.random() < 0.75 else float(rng.uniform(-0.15, 0.15))
    )
    width = float(rng.normal(1.0, 0.08)) * (1.1 if wears.coat else 1.0)
    if side:
        parts = _from_the_side(rng, wears, step, width)
    else:
        parts = _from_the_front(rng, wears, step, width, bool(rng.random() < 0.5))
    scale = np.array([-tall if side < 0 else tall, tall])
    middle = 0.03 * float(np.sign(side)) * tall
    return Figure([(points * scale, material) for points, material in parts], (middle, 0.93 * tall))


def rider(rng: np.random.Generator, climate: Climate, side: float) -> Figure:
    """Return a person on a bicycle, seen from the side or, with side 0, from the front."""
    wears = outfit(rng, climate)
    metal, tyre = Material(METAL, climate.air + 1), Material(TYRE, climate.air + 3)
    if not side:
        body = [
            (points * 1.7 + (0, 0.14), material)
            for points, material in _from_the_front(rng, wears, 0.3, 1.0, rng.random() < 0.5)
        ]
        wheel = [
            (limb((0, 0.03), (0, 0.62), 0.025, 0.025), tyre),
            (limb((-0.27, 0.98), (0.27, 0.98), 0.02, 0.02), metal),
        ]
        return Figure([*body[:4], *wheel, *body[4:]], (0.0, 1.72))
    front, back = (0.52, 0.34), (-0.5, 0.34)
    saddle, bar, crank = (-0.24, 0.92), (0.4, 1.02), (-0.04, 0.3)
    hip, shoulder, elbow = (-0.24, 1.0), (0.05, 1.5), (0.22, 1.2)
    knee, foot = (0.16, 0.74), (0.0, 0.2)
    parts: Parts = []
    for hub in (front, back):
        outer, inner = oval(hub, 0.34, 0.34), oval(hub, 0.3, 0.3)[::-1]
        parts.append((np.concatenate([outer, outer[:1], inner[-1:], inner]), tyre))
    frame = ((back, saddle), (saddle, crank), (crank, back), (crank, bar), (front, bar))
    parts += [(limb(one, other, 0.022, 0.022), metal) for one, other in frame]
    parts += [
        (limb(hip, knee, 0.1, 0.07), wears.legs),
        (limb(knee, foot, 0.065, 0.045), wears.shins),
        (limb(foot, (0.12, 0.17), 0.045, 0.035), wears.shoes),
        (limb(hip, shoulder, 0.15, 0.15), wears.top),
        (limb(shoulder, elbow, 0.06, 0.05), wears.sleeve),
        (limb(elbow, bar, 0.05, 0.04), wears.sleeve),
        (oval((0.15, 1.68), 0.095, 0.125), wears.skin),
        (oval((0.12, 1.74), 0.105, 0.085), wears.hair),
    ]
    mirror = np.array([-1.0 if side < 0 else 1.0, 1.0])
    return Figure([(points * mirror, m) for points, m in parts], (0.15 * float(mirror[0]), 1.68))


def _from_the_side(rng: np.random.Generator, wears: Outfit, step: float, width: float) -> Parts:
    hip, shoulder = (0.0, 0.52), (0.012, 0.79)
    parts: Parts = []

    def leg(swing: float, dark: float) -> None:
        knee = (hip[0] + 0.25 * np.sin(0.5 * swing), hip[1] - 0.245 * np.cos(0.5 * swing))
        bend = 0.5 * swing - (0.75 if swing < 0 else 0.12) * abs(swing)
        foot = (knee[0] + 0.235 * np.sin(bend), knee[1] - 0.235 * np.cos(bend))
        toe = (foot[0] + 0.075, foot[1] - 0.012)
        parts.append((limb(foot, toe, 0.024, 0.016), shaded(wears.shoes, dark)))
        parts.append((limb(knee, foot, 0.04, 0.027), shaded(wears.shins, dark)))
        parts.append((limb(hip, knee, 0.064 * width, 0.043), shaded(wears.legs, dark)))

    def arm(swing: float, dark: float, lifted: bool = False) -> None:
        upper, lower = 0.6 * swing, 2.3 if lifted else 0.6 * swing + 0.35
        elbow = (shoulder[0] + 0.16 * np.sin(upper), shoulder[1] - 0.16 * np.cos(upper))
        hand = (elbow[0] + 0.15 * np.sin(lower), elbow[1] - 0.15 * np.cos(lower))
        parts.append((limb(shoulder, elbow, 0.042, 0.032), shaded(wears.sleeve, dark)))
        parts.append((limb(elbow, hand, 0.032, 0.023), shaded(wears.sleeve, dark)))
        parts.append((oval((hand[0] + 0.004, hand[1] - 0.012), 0.02, 0.025), wears.skin))
        if lifted:
            parts.append((oval((hand[0] + 0.02, hand[1] + 0.01), 0.016, 0.03), wears.phone))
        elif wears.carries:
            parts.append((oval((hand[0], hand[1] - 0.1), 0.055, 0.07), wears.bag))

    arm(step, 0.6)
    leg(-step, 0.65)
    leg(step, 1.0)
    if wears.pack:
        parts.append((limb((-0.1, 0.765), (-0.105, 0.6), 0.055, 0.062), wears.bag))
    if wears.skirt:
        flare = [(-0.06, 0.56), (0.06, 0.56), (0.115, 0.33), (-0.105, 0.33)]
        parts.append((np.array(flare), wears.legs))
    deep, low = 0.076 * width, hip[1] - 0.04 - wears.coat
    back = [(-deep * 0.85, low), (-deep * 0.8, 0.6), (-deep * 1.02, 0.7), (-deep * 0.95, 0.78)]
    chest = [(0.035, 0.835), (deep * 0.8, 0.8), (deep * 1.05, 0.73), (deep * 0.85, 0.6)]
    parts.append((np.array([*back, (-0.04, 0.83), *chest, (deep * 1.0, low)]), wears.top))
    parts.append((limb((0.012, 0.82), (0.022, 0.88), 0.034, 0.032), shaded(wears.skin, 0.75)))
    parts.append((oval((0.03, 0.926), 0.047, 0.066), wears.skin))
    parts.append((oval((0.066, 0.915), 0.016, 0.014), wears.skin))
    parts.append((oval((0.01, 0.948), 0.054, 0.05), wears.hair))
    parts.append((oval((-0.012, 0.925), 0.034, 0.048), wears.hair))
    if wears.long_hair:
        parts.append((limb((-0.018, 0.94), (-0.03, 0.82), 0.036, 0.026), wears.hair))
    _about_the_neck(parts, wears, 0.018)
    _on_the_head(parts, wears, 0.015)
    arm(-step, 0.88, bool(rng.random() < 0.12))
    return parts


def _from_the_front(
    rng: np.random.Generator, wears: Outfit, step: float, width: float, away: bool
) -> Parts:
    parts: Parts = []
    broad = 0.107 * width
    stance = float(rng.uniform(0.8, 1.35))

    def leg(side: float, lift: float) -> None:
        foot = 0.035 + max(lift, 0) * 0.06
        knee = (side * 0.048 * stance, 0.275 + max(lift, 0) * 0.02)
        dark = 1.0 if lift >= 0 else 0.8
        ankle = (side * 0.05 * stance, foot + 0.01)
        parts.append((oval((side * 0.056 * stance, foot - 0.012), 0.031, 0.023), wears.shoes))
        parts.append((limb(knee, ankle, 0.041, 0.029), shaded(wears.shins, dark)))
        parts.append((limb((side * 0.048, 0.5), knee, 0.061 * width, 0.044),
                      shaded(wears.legs, dark)))  # fmt: skip

    def arm(side: float, swing: float, pose: str) -> None:
        shoulder = (side * (broad - 0.012), 0.785)
        elbow = (side * (broad + 0.024), 0.635 + 0.012 * swing)
        hand = (side * (broad + 0.014 - 0.02 * swing), 0.49 + 0.05 * swing)
        if pose == "pocket":
            elbow, hand = (side * (broad + 0.04), 0.64), (side * (broad - 0.02), 0.53)
        elif pose == "lifted":
            hand = (side * 0.045, 0.76)
        sleeve = shaded(wears.sleeve, 0.85 if pose == "hangs" else 1.05)
        parts.append((limb(shoulder, elbow, 0.038, 0.031), sleeve))
        parts.append((limb(elbow, hand, 0.031, 0.023), sleeve))
        if pose != "pocket":
            parts.append((oval((hand[0], hand[1] - 0.012), 0.019, 0.026), wears.skin))
        if pose == "lifted":
            parts.append((oval((hand[0], hand[1] + 0.02), 0.016, 0.03), wears.phone))
        elif wears.carries and side > 0:
            parts.append((oval((hand[0], hand[1] - 0.1), 0.05, 0.07), wears.bag))

    poses = [str(rng.choice(["hangs", "hangs", "hangs", "pocket"])) for _ in range(2)]
    lifted = not away and rng.random() < 0.15
    leg(-1, step)
    leg(1, -step)
    if wears.skirt:
        flare = [(-0.08, 0.56), (0.08, 0.56), (0.12, 0.32), (-0.12, 0.32)]
        parts.append((np.array(flare), wears.legs))
    arm(-1, max(-step, 0), poses[0])
    if not lifted:
        arm(1, max(step, 0), poses[1])
    low, hem = 0.475 - wears.coat, 0.096 * width + 0.1 * wears.coat
    half = np.array([(hem, low), (0.082 * width, 0.6), (broad * 0.95, 0.72),
                     (broad * 1.0, 0.775), (broad * 0.8, 0.815), (0.04, 0.838)])  # fmt: skip
    torso = np.concatenate([half, half[::-1] * (-1, 1)])
    parts.append((torso, wears.top))
    if wears.striped:
        for height in np.arange(low + 0.05, 0.79, 0.07):
            reach = 0.08 * width
            parts.append((limb((-reach, height), (reach, height), 0.011, 0.011), wears.bag))
    if away and wears.pack:
        parts.append((limb((0, 0.755), (0, 0.6), 0.075, 0.085), wears.bag))
        parts.append((limb((-0.05, 0.6), (0.05, 0.6), 0.03, 0.03), shaded(wears.bag, 0.7)))
    elif not away:
        _open_front(parts, wears, low)
    neck = wears.hair if away and wears.long_hair else wears.skin
    parts.append((limb((0, 0.825), (0, 0.87), 0.035, 0.033), shaded(neck, 0.75)))
    if wears.long_hair and not away:
        parts.append((oval((0, 0.905), 0.062, 0.08), wears.hair))
    parts.append((oval((0, 0.926), 0.047, 0.067), wears.hair if away else wears.skin))
    if not away:
        for side in (-1, 1):
            parts.append((oval((side * 0.019, 0.93), 0.009, 0.006), shaded(wears.skin, 0.25)))
    cap = (0.945, 0.055) if away else (0.966, 0.034)
    parts.append((oval((0, cap[0]), 0.05, cap[1]), wears.hair))
    if wears.long_hair and away:
        parts.append((limb((0, 0.93), (0, 0.8), 0.053, 0.046), wears.hair))
    _about_the_neck(parts, wears, 0.0)
    _on_the_head(parts, wears, 0.0)
    if lifted:
        arm(1, 0.0, "lifted")
    return parts


def _open_front(parts: Parts, wears: Outfit, low: float) -> None:
    if wears.opened:
        shirt = [(-0.025, 0.83), (0.025, 0.83), (0.032, low), (-0.032, low)]
        parts.append((np.array(shirt), wears.shirt))
    if wears.pack:
        for side in (-1, 1):
            strap = limb((side * 0.065, 0.81), (side * 0.07, 0.66), 0.011, 0.011)
            parts.append((strap, wears.bag))


def _about_the_neck(parts: Parts, wears: Outfit, middle: float) -> None:
    if wears.scarf:
        band = limb((middle - 0.035, 0.838), (middle + 0.035, 0.838), 0.023, 0.023)
        parts.append((band, wears.bag))


def _on_the_head(parts: Parts, wears: Outfit, middle: float) -> None:
    if wears.hat:
        brim = limb((middle - 0.05, 0.965), (middle + 0.055, 0.962), 0.012, 0.01)
        parts.append((oval((middle, 0.976), 0.052, 0.038), wears.bag))
        parts.append((brim, shaded(wears.bag, 0.8)))
    if wears.umbrella:
        rod = limb((middle + 0.12, 0.7), (middle + 0.1, 1.1), 0.008, 0.006)
        turn = np.linspace(0, np.pi, 9)
        roof = np.stack([0.1 + 0.34 * np.cos(turn), 1.03 + 0.15 * np.sin(turn)], 1)
        parts += [(rod, shaded(wears.bag, 0.5)), (roof, wears.bag)]
