"""What people wear: the colours that are seen, and how much warmth comes through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.scenes.climate import Climate
from models.training.scenes.view import Colour, Material, colour

CLOTHES = [colour(code) for code in (
    "15171c", "1d2233", "22262b", "2b2b2e", "33353b", "1a2a44", "3b4250", "4a4d52", "6d7075",
    "8c8f94", "c9cacc", "e9e9e6", "f4f2ec", "7d6a52", "a08b6d", "cfc0a2", "5b4636", "36402f",
    "55614a", "7a1f24", "b3262c", "d2574a", "e08a2e", "e6c14a", "2d5f9a", "4f86c4", "9cc0de",
    "2f6f62", "6fa287", "6a3f74", "b67fae", "e2a9b4",
)]  # fmt: skip
DARK_CLOTHES = CLOTHES[:7]
TROUSERS = [colour(code) for code in (
    "14161b", "1b1f2a", "23262c", "1f2c47", "2a3c60", "46628f", "303236", "4b4d50", "6f6b62",
    "9c8f78", "c4b79c", "d8d6d0",
)]  # fmt: skip
DARK_TROUSERS = TROUSERS[:5]
SHOES = [*TROUSERS[:4], *CLOTHES[9:13]]
SKINS = [colour(code) for code in ("f0c9ac", "e3b48f", "d9a37a", "b97f58", "8d5a3b", "5f3b28")]
HAIRS = [colour(code) for code in ("0f0d0c", "1c1613", "2e2019", "4a3222", "7d5a34", "b39a72",
                                   "8f8f8f", "d6d3ce")]  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """Materials of what a person wears and carries, and of the person."""

    top: Material
    sleeve: Material
    shirt: Material
    legs: Material
    shins: Material
    shoes: Material
    skin: Material
    hair: Material
    bag: Material
    """also of a scarf, a hat, an umbrella and of stripes"""
    phone: Material
    coat: float
    """how far the top reaches below the hip, as a share of the height"""
    opened: bool
    striped: bool
    skirt: bool
    long_hair: bool
    pack: bool
    carries: bool
    scarf: bool
    hat: bool
    umbrella: bool


def shaded(material: Material, factor: float) -> Material:
    """Return the material in less light, or more."""
    red, green, blue = material.rgb
    return material._replace(rgb=(red * factor, green * factor, blue * factor))


def outfit(rng: np.random.Generator, climate: Climate) -> Outfit:
    """Return clothes that suit the air; at night every third person is dark from head to foot."""

    def pick(colours: list[Colour]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    cold = climate.air < 14
    dark = climate.night and chance(0.35)
    cloth = pick(DARK_CLOTHES if dark or chance(0.45 if cold else 0.2) else CLOTHES)
    trousers = pick(DARK_TROUSERS if dark or chance(0.4) else TROUSERS)
    # Dark cloth in the sun is warmer than the air, bright cloth hardly.
    sunny = climate.warming * 0.35 * (1 - float(np.mean(cloth)))
    insulation = float(rng.uniform(0.55, 0.93) if cold else rng.uniform(0.2, 0.6))
    top = Material(cloth, climate.of_cloth(insulation) + sunny)
    skin = Material(pick(SKINS), climate.of_skin())
    legs = Material(trousers, climate.of_cloth(float(rng.uniform(0.35, 0.7))) + 0.7 * sunny)
    bare = not cold and chance(0.45)
    return Outfit(
        top=top,
        sleeve=skin._replace(heat=skin.heat - 1.5) if bare else top,
        shirt=Material(pick(CLOTHES), climate.of_cloth(0.35)),
        legs=legs,
        shins=skin._replace(heat=skin.heat - 2) if bare and chance(0.5) else legs,
        shoes=Material(pick(SHOES), climate.of_cloth(0.85)),
        skin=skin,
        hair=Material(pick(HAIRS), climate.of_cloth(0.45) + sunny),
        bag=Material(pick(CLOTHES), climate.of_cloth(0.9)),
        phone=Material((0.55, 0.62, 0.7), climate.of_cloth(0.3), 0.25 if climate.night else 0.0),
        coat=float(rng.uniform(0.08, 0.24)) if cold and chance(0.5) else 0.0,
        opened=chance(0.35),
        striped=chance(0.06),
        skirt=chance(0.12),
        long_hair=chance(0.4),
        pack=chance(0.22),
        carries=chance(0.15),
        scarf=cold and chance(0.25),
        hat=chance(0.12),
        umbrella=chance(0.015),
    )
