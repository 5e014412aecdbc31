"""How time, memory and multiply-adds grow with the number of places, beside what papers state."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.cost import multiply_adds
from models.mechanism import Mechanism, Placement, Plug, mechanisms
from vizattn.memory import peak_bytes

SIDES = (32, 64, 96, 128)
"""cells along each side of the maps that are measured"""
QUICK_SIDES = (16, 24, 32)
WIDTH = 96
"""channels of the maps: those of the segmentation host's context module"""
ROUNDS = 3
PLAIN = "plain"
"""the 3 x 3 convolution that everything is measured beside"""
FITTED = 3
"""how many of the largest maps the exponents are fitted to: small ones measure overheads"""


@dataclass(frozen=True)
class Point:
    """What one forward pass over a map of N places took.

    Args:
        places: N.
        seconds: median of several passes.
        bytes: the most that was allocated at once, input and weights left out.
        multiply_adds: of convolutions and matrix products.
    """

    places: int
    seconds: float
    bytes: int
    multiply_adds: int


@dataclass(frozen=True)
class Scaling:
    """What a mechanism costs at several sizes.

    Args:
        slug: of the mechanism.
        name: of the mechanism.
        stated: the paper's formula in N.
        exponent: of N in that formula.
        points: what was measured, smallest map first.
    """

    slug: str
    name: str
    stated: str
    exponent: float
    points: tuple[Point, ...]

    @property
    def formula(self) -> str:
        """Return what is stated, without what its letters stand for: "O(N S)"."""
        inside, comma, _ = self.stated.partition(",")
        return f"{inside})" if comma else inside

    def fitted(self, what: str) -> float:
        """Return the exponent b of a N^b that fits a field of the largest maps best."""
        last = self.points[-FITTED:]
        return exponent([each.places for each in last], [getattr(each, what) for each in last])

    def facts(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "slug": self.slug,
            "name": self.name,
            "stated": self.stated,
            "formula": self.formula,
            "exponent": self.exponent,
            "fitted": {
                what: round(self.fitted(what), 3) for what in ("seconds", "bytes", "multiply_adds")
            },
            "points": [vars(each) for each in self.points],
        }


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of log(values) over log(sizes), by least squares.

    Raises:
        ValueError: if there are fewer than two sizes, or a number is not positive.
    """
    if len(sizes) < 2 or min(*sizes, *values) <= 0:
        raise ValueError(f"expected two or more positive numbers, received {sizes}, {values}")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float))
    return float(np.polyfit(x, y, 1)[0])


def measured() -> dict[str, tuple[Mechanism, Plug]]:
    """Return every mechanism whose paper states a growth, with the plug that is measured."""
    found = {}
    for slug, each in mechanisms().items():
        plugs = [p for p in each.plugs.values() if p.placement is not Placement.EVERY_RESIDUAL]
        if each.growth is not None and plugs:
            # Where there are several the last is the context module.
            found[slug] = (each, plugs[-1])
    return found


def scalings(quick: bool = False, only: Sequence[str] = ()) -> Iterator[Scaling]:
    """Yield what every mechanism costs, the plain 3 x 3 convolution first.

    What the weights are does not matter here, so the blocks are untrained.

    Args:
        quick: small maps, one round.
        only: slugs of mechanisms; all by default.
    """
    sides, rounds = (QUICK_SIDES, 1) if quick else (SIDES, ROUNDS)
    plain = nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=1)
    yield Scaling(PLAIN, "3 x 3 convolution", "O(N)", 1.0, _points(plain, sides, rounds))
    for slug, (mechanism, plug) in measured().items():
        if mechanism.growth is None or (only and slug not in only):
            continue
        torch.manual_seed(0)
        points = _points(plug.build(WIDTH), sides, rounds)
        growth = mechanism.growth
        yield Scaling(slug, mechanism.name, growth.formula, growth.exponent, points)


def _points(block: nn.Module, sides: Sequence[int], rounds: int) -> tuple[Point, ...]:
    block.eval()
    # Shapes are enough for counting; with numbers it would build the N x N matrices.
    shapes = copy.deepcopy(block).to("meta")
    return tuple(_point(block, shapes, side, rounds) for side in sides)


def _point(block: nn.Module, shapes: nn.Module, side: int, rounds: int) -> Point:
    x = torch.randn(1, WIDTH, side, side, generator=torch.Generator().manual_seed(side))
    seconds = [_seconds(block, x) for _ in range(rounds + 1)][1:]
    memory = peak_bytes(lambda: _forward(block, x))
    return Point(side * side, median(seconds), memory, multiply_adds(shapes, x.to("meta")))


def _seconds(block: nn.Module, x: Tensor) -> float:
    # Processor time: other programs on the machine do not count.
    began = time.process_time()
    _forward(block, x)
    return max(time.process_time() - began, math.ulp(1.0))


def _forward(block: nn.Module, x: Float[Tensor, "1 channel row column"]) -> Tensor:
    with torch.inference_mode():
        y: Tensor = block(x)
    return y
