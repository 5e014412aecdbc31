"""Maps in numbers: where the mass lies and how concentrated it is.

Shares are of the magnitudes |w|, which are the weights themselves wherever these are not signed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vizattn.geometry import Framing, Grid, Point

_HALF = 0.5 - 1e-9


@dataclass(frozen=True)
class RowNumbers:
    """A row of weights in numbers.

    Args:
        minimum: the smallest weight.
        maximum: the largest weight.
        total: the sum of the weights.
        entropy: of the shares of the magnitudes, in nats.
        evenness: the entropy in parts of the largest that so many keys allow, 0..1.
        effective: exp(entropy): as many keys with one weight each would be as spread out.
        self_weight: the weight of the query's own place or channel, where that is known.
        half_mass_cells: how few keys hold half of the mass.
        top: (key, weight) of the largest weights, largest first.
    """

    minimum: float
    maximum: float
    total: float
    entropy: float
    evenness: float
    effective: float
    self_weight: float | None
    half_mass_cells: int
    top: tuple[tuple[int, float], ...]


def row_numbers(
    row: Float[np.ndarray, "*axes"], own: int | None = None, count: int = 5
) -> RowNumbers:
    """Return a row in numbers; a row of zeros has no entropy and no effective keys.

    Args:
        row: the weights, of any shape.
        own: the index, row by row, of the query itself among the keys.
        count: how many of the largest weights to list.

    Raises:
        ValueError: if the row is empty.
    """
    weights = np.asarray(row, dtype=np.float64).ravel()
    if not weights.size:
        raise ValueError("expected a row with weights, received an empty one")
    sizes = np.abs(weights)
    mass = float(sizes.sum())
    shares = sizes[sizes > 0] / mass if mass > 0 else np.zeros(0)
    entropy = max(0.0, float(-(shares * np.log(shares)).sum()))
    most = math.log(weights.size)
    best = np.argsort(-weights, kind="stable")[:count]
    return RowNumbers(
        minimum=float(weights.min()),
        maximum=float(weights.max()),
        total=float(weights.sum()),
        entropy=entropy,
        evenness=entropy / most if most > 0 else 0.0,
        effective=math.exp(entropy) if mass > 0 else 0.0,
        self_weight=None if own is None else float(weights[own]),
        half_mass_cells=_half_mass(sizes),
        top=tuple((int(key), float(weights[key])) for key in best),
    )


def _half_mass(sizes: Float[np.ndarray, " key"]) -> int:
    held = np.cumsum(np.sort(sizes)[::-1])
    # Half but for rounding is half: an even row of 40 keys holds it in 20.
    return int(np.searchsorted(held, held[-1] * _HALF)) + 1 if held[-1] > 0 else 0


@dataclass(frozen=True)
class Spread:
    """Where the mass of a map lies in the picture.

    Args:
        centre: (x, y) of the centre of mass in parts of the picture, 0..1.
        shares: the share of the mass in each ninth of the picture.
        means: the mean value in each ninth; not a number where a ninth holds no cell.
    """

    centre: Point
    shares: Float[np.ndarray, "3 3"]
    means: Float[np.ndarray, "3 3"]


def spread(values: Float[np.ndarray, "row column"], grid: Grid, framing: Framing) -> Spread:
    """Return where the mass of a map over cells lies in the original picture."""
    corners = [framing.to_original(grid.centre(index)) for index in (0, len(grid) - 1)]
    counts = grid.columns, grid.rows
    x, y = (
        np.linspace(corners[0][axis], corners[1][axis], counts[axis]) / framing.original[axis]
        for axis in (0, 1)
    )
    sizes = np.abs(values.astype(np.float64))
    mass = sizes.sum() or 1.0
    centre = float((sizes * x).sum() / mass), float((sizes * y[:, None]).sum() / mass)
    down, across = _thirds(y), _thirds(x)
    cells = np.outer(down.sum(axis=1), across.sum(axis=1))
    sums = down @ values.astype(np.float64) @ across.T
    means = np.divide(sums, cells, out=np.full((3, 3), np.nan), where=cells > 0)
    return Spread(centre, down @ sizes @ across.T / mass, means)


def _thirds(fractions: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3 n"]:
    """Return for each third which fractions of the picture's side are in it, as 0 and 1."""
    third = np.clip(np.floor(fractions * 3), 0, 2)
    return (third == np.arange(3)[:, None]).astype(np.float64)
