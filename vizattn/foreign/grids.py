"""From places of tokens to a grid of cells, and the grid that a count of tokens suggests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vizattn.geometry import Grid, Size

PLACELESS, PADDING = -1, -2
"""instead of a cell: of tokens of their own, and of what was put around a map"""
BEYOND = float("-inf")
"""instead of a place from the left, with no place from the top: put around a map"""
_SAME = 1e-4
"""parts of the picture that two places may differ by and be one"""
_EXTRA = 33
"""tokens without a place that a count may be explained by, at most"""


@dataclass(frozen=True)
class Laid:
    """Where tokens are on a grid.

    Args:
        grid: the cells.
        cells: for each token its cell, row by row; ``PLACELESS`` or ``PADDING`` where it has none.
    """

    grid: Grid
    cells: Int[Tensor, ...]


def laid(y: Float[Tensor, ...], x: Float[Tensor, ...], size: Size) -> Laid | None:
    """Return the regular grid on which places lie; None where they lie on none.

    Args:
        y: from the top, in parts of the picture; not a number where there is no place.
        x: from the left, likewise; ``BEYOND`` where the network has put something around a map.
        size: (width, height) of the picture in model pixels.
    """
    found = y.isfinite() & x.isfinite()
    if not bool(found.any()):
        return None
    down, across = _axis(y[found]), _axis(x[found])
    if down is None or across is None:
        return None
    rows, columns = (count for count, _, _ in (down, across))
    index = [
        ((each.nan_to_num() - origin) / step).floor().long()
        for each, (_, origin, step) in ((y, down), (x, across))
    ]
    none = torch.where(x == BEYOND, PADDING, PLACELESS)
    cells = torch.where(found, index[0] * columns + index[1], none)
    width, height = size
    cell = (across[2] * width, down[2] * height)
    return Laid(Grid(rows, columns, cell, (across[1] * width, down[1] * height)), cells)


def _axis(values: Float[Tensor, " n"]) -> tuple[int, float, float] | None:
    """Return how many steps there are along an axis, where the first begins and how long one is."""
    known = values.double().sort().values
    apart = torch.cat([torch.ones(1, dtype=torch.bool), known.diff() > _SAME])
    places = known[apart]
    if len(places) < 2:
        return 1, 0.0, 1.0
    steps = places.diff()
    # Where tokens are missing the gap is some steps wide.
    step = float(steps.min())
    whole = steps / step
    if float((whole - whole.round()).abs().max()) > 0.05:
        return None
    count = int(whole.round().sum()) + 1
    step = _exact(float(places[-1] - places[0]) / (count - 1), 1.0)
    return count, _exact(float(places[0]) - step / 2, step), step


def _exact(length: float, whole: float) -> float:
    """Return the part or multiple of a length that single precision has come close to."""
    if abs(length) < _SAME * whole:
        return 0.0
    for exact in (whole / max(1, round(whole / abs(length))), round(length / whole) * whole):
        if abs(abs(length) - abs(exact)) < _SAME * abs(length):
            return math.copysign(exact, length)
    return length


@dataclass(frozen=True)
class Suggested:
    """A grid that the number of tokens suggests.

    Args:
        rows: cells from top to bottom.
        columns: cells from left to right.
        extra: tokens that are left over; they are taken to come first.
    """

    rows: int
    columns: int
    extra: int


def suggested(tokens: int, size: Size) -> Suggested | None:
    """Return the grid of square patches of the input that leaves the fewest tokens over.

    Args:
        tokens: how many there are.
        size: (width, height) of the network's input.
    """
    width, height = size
    best: Suggested | None = None
    for patch in range(1, min(width, height) + 1):
        if width % patch or height % patch:
            continue
        rows, columns = height // patch, width // patch
        extra = tokens - rows * columns
        few = extra <= min(_EXTRA, rows * columns // 2)
        if extra >= 0 and few and rows * columns > 1 and (best is None or extra < best.extra):
            best = Suggested(rows, columns, extra)
    return best
