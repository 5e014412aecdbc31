"""The hour and the weather: what light falls, and how warm things are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.training.scenes.view import Colour

SKIN = 34.0
"""degrees Celsius of a face in a warm room"""


@dataclass(frozen=True)
class Climate:
    """One moment: its light, its air, and what sun and sky have done to the surfaces."""

    night: bool
    air: float
    """degrees Celsius"""
    overcast: float
    """0 is a clear sky"""
    shadow: tuple[float, float]
    """metres (x, z) by which the shadow of something one metre high is moved"""
    ambient: Colour
    """light of the sky"""
    sun: Colour
    """light of the sun on what faces it"""
    haze: Colour
    sky_heat: float
    """degrees Celsius straight up"""
    stored: float
    """degrees by which stone is warmer than the air, in the shade or at night"""
    warming: float
    """degrees by which the sun warms asphalt"""

    def of_skin(self) -> float:
        """Return how warm a face is."""
        return 0.72 * SKIN + 0.28 * self.air

    def of_cloth(self, insulation: float) -> float:
        """Return how warm the outside of clothes is: 0 as skin, 1 as the air."""
        return self.of_skin() * (1 - insulation) + self.air * insulation


def climate(rng: np.random.Generator, night: bool | None = None) -> Climate:
    """Return a moment; one day in five is so hot that the ground is as warm as people."""
    night = bool(rng.random() < 0.5) if night is None else night
    hot = rng.random() < (0.08 if night else 0.2)
    air = float(rng.uniform(27, 34) if hot else rng.uniform(4, 22))
    overcast = float(np.clip(rng.normal(0.35, 0.35), 0, 1))
    if night:
        air -= 4
        level = float(rng.uniform(0.0012, 0.006))
        ambient = (level * 0.8, level, level * 1.15)
        return Climate(True, air, overcast, (0.0, 0.0), ambient, (0, 0, 0),
                       (level * 0.5, level * 0.5, level * 0.6),
                       air - float(rng.uniform(14, 34)) * (1 - 0.7 * overcast),
                       float(rng.uniform(0.5, 3)), 0.0)  # fmt: skip
    low = float(rng.uniform(0.5, 2.2))
    angle = float(rng.uniform(-math.pi, math.pi))
    strength = 1.3 * (1 - overcast) ** 1.5 * float(rng.uniform(0.6, 1.0))
    warm = float(np.clip((low - 0.8) * 0.18, 0, 0.3))
    ambient = (0.22 + 0.17 * overcast, 0.26 + 0.15 * overcast, 0.32 + 0.1 * overcast)
    return Climate(False, air, overcast, (low * math.cos(angle), 0.6 * low * math.sin(angle)),
                   ambient, (strength, strength * (0.95 - warm / 2), strength * (0.86 - warm)),
                   (0.5, 0.54, 0.6), air - float(rng.uniform(16, 38)) * (1 - 0.6 * overcast),
                   float(rng.uniform(0, 2.5)),
                   strength * float(rng.uniform(6, 14 if hot else 9)))  # fmt: skip
