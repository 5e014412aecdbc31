"""Where an RGB picture and a thermal one of the same scene lie on each other."""

from vizattn.registration.placing import Registration, warp
from vizattn.registration.suggesting import (
    CONFIDENT,
    DIFFERENT_SCENES,
    Suggestion,
    mutual_information,
    suggest,
)

__all__ = [
    "CONFIDENT",
    "DIFFERENT_SCENES",
    "Registration",
    "Suggestion",
    "mutual_information",
    "suggest",
    "warp",
]
