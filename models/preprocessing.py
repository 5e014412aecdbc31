"""What must happen to pixels before a network sees them; it travels with the weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Native size and colour statistics of a network.

    ``size`` is the native (rows, columns). ``fit`` says what is made to match it: "short" scales a
    picture until its short side is ``min(size)``; "inside" until the picture fits into ``size``.
    """

    size: tuple[int, int]
    fit: str
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD

    def __post_init__(self) -> None:
        if self.fit not in ("short", "inside"):
            raise ValueError(f"expected fit 'short' or 'inside', received {self.fit!r}")

    def normalise(
        self, pixels: UInt8[Tensor, "batch 3 row column"] | Float[Tensor, "batch 3 row column"]
    ) -> Float[Tensor, "batch 3 row column"]:
        """Return pixels of 0..255 as the floating point numbers that the network was trained on."""
        mean, std = (
            torch.tensor(values, device=pixels.device).view(1, 3, 1, 1)
            for values in (self.mean, self.std)
        )
        return (pixels.float() / 255 - mean) / std
