"""What the laboratory does to a pair before a network counts in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SENSES = ("rgb", "thermal")
STAGES = 5
BRIGHTEST = 2.0
LEVELS = 255
"""the level of white: noise is in these units for both senses"""
_SEED = 20221210

Point = tuple[float, float]
RGBLevels = Float[np.ndarray, "row column 3"]
ThermalLevels = Float[np.ndarray, "row column"]


@dataclass(frozen=True)
class Changes:
    """What is changed before the network is asked; by default nothing.

    Args:
        shift: how far the thermal picture is moved right and down, in pixels of the RGB picture.
        light: what the RGB picture's levels are multiplied by, 0..2; 1 leaves them.
        blank: a sense that is black everywhere, as behind a closed lens.
        noise: a sense and the standard deviation of what is added to it, in levels of 0..255; the
            noise is the same each time.
        off: stages, counted from 0, whose senses share their plain mean instead of CSCA.

    Raises:
        ValueError: if a number is out of range, or a sense or stage unknown.
    """

    shift: Point = (0.0, 0.0)
    light: float = 1.0
    blank: str | None = None
    noise: tuple[str, float] | None = None
    off: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.shift)):
            raise ValueError(f"expected a shift in pixels, received {self.shift}")
        if not 0 <= self.light <= BRIGHTEST:
            raise ValueError(f"expected light of 0..{BRIGHTEST:g}, received {self.light}")
        if self.blank not in (None, *SENSES):
            raise ValueError(f"expected one of {SENSES} to be blank, received {self.blank!r}")
        if self.noise is not None:
            sense, deviation = self.noise
            if sense not in SENSES or not 0 <= deviation <= LEVELS:
                raise ValueError(
                    f"expected noise as a sense of {SENSES} and 0..{LEVELS} levels, "
                    f"received {self.noise}"
                )
        if not self.off <= set(range(STAGES)):
            raise ValueError(f"expected stages of 0..{STAGES - 1}, received {sorted(self.off)}")

    def rgb(self, levels: RGBLevels) -> RGBLevels:
        """Return levels of 0..255 of the RGB picture as they are after the changes."""
        if self.blank == "rgb":
            return np.zeros_like(levels)
        lit = levels if self.light == 1 else np.minimum(levels * np.float32(self.light), LEVELS)
        return self._noisy("rgb", lit)

    def thermal(self, levels: ThermalLevels) -> ThermalLevels:
        """Return levels of 0..255 of the thermal picture, moved already, after the changes."""
        return np.zeros_like(levels) if self.blank == "thermal" else self._noisy("thermal", levels)

    def _noisy(self, sense: str, levels: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
        if self.noise is None or self.noise[0] != sense or self.noise[1] == 0:
            return levels
        drawn = np.random.default_rng(_SEED).standard_normal(levels.shape, dtype=np.float32)
        return (levels + drawn * np.float32(self.noise[1])).clip(0, LEVELS)


AS_IT_IS = Changes()
