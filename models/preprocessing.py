"""What must happen to pixels before a network sees them; it travels with the weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
FITS = ("short", "inside", "letterbox")
INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Preprocessing:
    """Native size and colour statistics of a network.

    ``size`` is the native (rows, columns). ``fit`` says what is made to match it: "short" scales a
    picture until its short side is ``min(size)``; "inside" until the picture fits into ``size``;
    "letterbox" too, and fills the rest of ``size`` with grey bars, for networks that take no other
    size. ``interpolation`` is "bilinear" or "bicubic", antialiased.
    """

    size: tuple[int, int]
    fit: str
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ValueError(f"expected a fit of {FITS}, received {self.fit!r}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"expected an interpolation of {INTERPOLATIONS}, received {self.interpolation!r}"
            )

    def normalise(
        self, pixels: UInt8[Tensor, "batch 3 row column"] | Float[Tensor, "batch 3 row column"]
    ) -> Float[Tensor, "batch 3 row column"]:
        """Return pixels of 0..255 as the floating point numbers that the network was trained on."""
        mean, std = (
            torch.tensor(values, device=pixels.device).view(1, 3, 1, 1)
            for values in (self.mean, self.std)
        )
        return (pixels.float() / 255 - mean) / std


LOW, HIGH = 0.01, 0.99
"""the share of thermal values that lie below the darkest and below the brightest level"""


def thermal_levels(
    values: Float[Tensor, "batch 1 row column"],
) -> Float[Tensor, "batch 1 row column"]:
    """Return thermal values of any unit as levels of 0..1, each picture by its own range.

    The range goes from the 1st to the 99th percentile; a picture of one value is 0 everywhere.
    """
    flat = values.float().flatten(1)
    share = torch.tensor((LOW, HIGH), device=values.device)
    low, high = torch.stack([_quantiles(each, share) for each in flat]).unbind(dim=1)
    span = (high - low).clamp(min=1e-6).view(-1, 1, 1, 1)
    return ((values.float() - low.view(-1, 1, 1, 1)) / span).clamp(0, 1)


def thermal_input(
    levels: Float[Tensor, "batch 1 row column"],
) -> Float[Tensor, "batch 3 row column"]:
    """Return thermal levels of 0..1 as the three equal channels that a network was trained on."""
    return ((levels - 0.5) * 4).expand(-1, 3, -1, -1)


def normalise_thermal(
    values: Float[Tensor, "batch 1 row column"],
) -> Float[Tensor, "batch 3 row column"]:
    """Return thermal values of any unit as what a network is given; see ``thermal_levels``."""
    return thermal_input(thermal_levels(values))


def _quantiles(values: Float[Tensor, " n"], share: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    # torch.quantile takes 16 million values at most; every n-th of more says the same.
    return values[:: 1 + len(values) // 4_000_000].quantile(share)
