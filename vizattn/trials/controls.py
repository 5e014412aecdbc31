"""The maps that any map must beat before it says something: none of them knows the network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from vizattn.geometry import Grid
from vizattn.trials.cells import OUTSIDE

Values = Float[np.ndarray, "row column"]
_BLOB = 0.25
"""standard deviation of the centre blob in parts of each side of the picture"""


def random_map(
    grid: Grid, cells: Int[np.ndarray, "y x"], light: Float[np.ndarray, "y x"], seed: int
) -> Values:
    """Return an independent random value for each cell, another one for each seed."""
    return np.random.default_rng([seed, 1]).random((grid.rows, grid.columns))


def centre_blob(
    grid: Grid, cells: Int[np.ndarray, "y x"], light: Float[np.ndarray, "y x"], seed: int
) -> Values:
    """Return a Gaussian blob in the middle of the picture: where photographers put their subject.

    Judd et al., Learning to Predict Where Humans Look, ICCV 2009, compare with the centre.
    """
    y, x = np.nonzero(cells != OUTSIDE)
    middle, spread = (
        [[float(each.min() + each.max()) / 2 for each in (y, x)]],
        [[_BLOB * (float(np.ptp(each)) + 1) for each in (y, x)]],
    )
    places = np.stack([y, x], axis=1)
    heights = np.exp(-0.5 * (((places - middle) / spread) ** 2).sum(axis=1))
    return _means(heights, cells[y, x], grid)


def edges(
    grid: Grid, cells: Int[np.ndarray, "y x"], light: Float[np.ndarray, "y x"], seed: int
) -> Values:
    """Return the mean magnitude of Sobel's gradient of the light in each cell.

    Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, arXiv:1810.03292, section 5:
    what an edge detector does as well explains no network.
    """
    padded = np.pad(light, 1, mode="edge")
    smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    across = smooth[:, 2:] - smooth[:, :-2]
    level = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    down = level[2:] - level[:-2]
    y, x = np.nonzero(cells != OUTSIDE)
    return _means(np.hypot(across, down)[y, x], cells[y, x], grid)


def _means(values: Float[np.ndarray, " n"], cells: Int[np.ndarray, " n"], grid: Grid) -> Values:
    sums = np.bincount(cells, weights=values, minlength=len(grid))
    counts = np.bincount(cells, minlength=len(grid))
    return (sums / np.maximum(counts, 1)).reshape(grid.rows, grid.columns)


CONTROLS: dict[str, Callable[..., Values]] = {
    "random": random_map,
    "centre": centre_blob,
    "edges": edges,
}
"""by name; each takes the grid, the cells of the pixels, the light of the pixels and a seed"""
