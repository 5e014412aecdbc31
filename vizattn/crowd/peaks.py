"""Where single people may be: the highest places of a density map, with distance between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from vizattn.crowd.areas import cell_edges
from vizattn.geometry import Framing, Grid

_APART = 1
"""cells: a peak that is no further from a higher one, along x and y, is the same person's"""
_FAINTEST = 0.02
"""people in the nine cells around a peak: below, it is noise"""
_KERNEL = np.array([0.25, 0.5, 0.25])
"""across and down: what smooths a map before its peaks are sought"""


@dataclass(frozen=True)
class Peak:
    """One high place of a density map.

    Args:
        x: pixels from the left of the frame.
        y: pixels from its top.
        share: part of all people that the nine cells around it hold, 0..1.
    """

    x: float
    y: float
    share: float


def peaks_of(
    density: Float[np.ndarray, "row column"], grid: Grid, framing: Framing, limit: int
) -> list[Peak]:
    """Return the local maxima of a smoothed density, highest first.

    Args:
        density: people in each cell.
        grid: where the cells are.
        framing: where the picture is.
        limit: how many at most.
    """
    people = np.maximum(density.astype(np.float64), 0)
    total = people.sum()
    if limit < 1 or total <= 0:
        return []
    smooth = _smoothed(people)
    around = _nine(people)
    candidates = np.argwhere(_highest(smooth) & (around > _FAINTEST))
    order = np.argsort(-smooth[tuple(candidates.T)], kind="stable")
    free = np.ones(people.shape, dtype=bool)
    chosen: list[np.ndarray] = []
    for row, column in candidates[order]:
        if free[row, column] and len(chosen) < limit:
            free[
                max(0, row - _APART) : row + _APART + 1,
                max(0, column - _APART) : column + _APART + 1,
            ] = False
            chosen.append(np.array([row, column]))
    centres = _centres(grid, framing)
    return [_peak(people, around, place, centres, total) for place in chosen]


def _peak(
    people: Float[np.ndarray, "row column"],
    around: Float[np.ndarray, "row column"],
    place: np.ndarray,
    centres: tuple[np.ndarray, np.ndarray],
    total: float,
) -> Peak:
    """Return a peak at the centre of mass of the nine cells around a cell."""
    rows, columns = (slice(max(0, at - 1), at + 2) for at in place)
    part = people[rows, columns]
    mass = part.sum()
    x = float((part.sum(axis=0) * centres[0][columns]).sum() / mass)
    y = float((part.sum(axis=1) * centres[1][rows]).sum() / mass)
    return Peak(x, y, float(around[tuple(place)] / total))


def _centres(grid: Grid, framing: Framing) -> tuple[np.ndarray, np.ndarray]:
    """Return the x and the y of the middle of each cell's part on the picture."""
    x, y = cell_edges(grid, framing)
    return (x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2


def _smoothed(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    padded = np.pad(values, 1)
    down = sum(_KERNEL[i] * padded[i : i + len(values)] for i in range(3))
    across = sum(_KERNEL[i] * down[:, i : i + values.shape[1]] for i in range(3))
    return np.asarray(across)


def _nine(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1), (3, 3))
    total: np.ndarray = windows.sum(axis=(2, 3))
    return total


def _highest(values: Float[np.ndarray, "row column"]) -> Bool[np.ndarray, "row column"]:
    """Return which cells none of their eight neighbours exceeds."""
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, 1, constant_values=-np.inf), (3, 3)
    )
    highest: np.ndarray = values >= windows.max(axis=(2, 3))
    return highest
