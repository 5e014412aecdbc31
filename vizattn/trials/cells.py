"""Cells of a map as pixels of the network's input, and the order in which a map ranks them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from vizattn.geometry import Framing, Grid, lift

OUTSIDE = -1


def cell_pixels(grid: Grid, framing: Framing) -> Int[np.ndarray, "y x"]:
    """Return for each pixel of the network's input its cell; -1 where it is not of the picture."""
    width, height = framing.input
    whole = Framing((width, height), (width, height), (0, 0), (width, height))
    indices = np.arange(len(grid)).reshape(grid.rows, grid.columns)
    cells = lift(indices, grid, whole).astype(np.int64)
    (left, top), (across, down) = framing.offset, framing.scaled
    inside = np.zeros((height, width), dtype=bool)
    inside[top : top + down, left : left + across] = True
    return np.where(inside, cells, OUTSIDE)


def ranking(
    values: Float[np.ndarray, "row column"],
    cells: Int[np.ndarray, "y x"],
    random: np.random.Generator,
) -> Int[np.ndarray, " cell"]:
    """Return the cells that the picture has, the largest value first, ties in random order."""
    present = np.unique(cells[cells != OUTSIDE])
    shuffled = random.permutation(present)
    return shuffled[np.argsort(-values.ravel()[shuffled], kind="stable")]


def chosen_pixels(
    ranked: Int[np.ndarray, " cell"],
    cells: Int[np.ndarray, "y x"],
    fractions: Float[np.ndarray, " n"],
) -> Bool[np.ndarray, "n y x"]:
    """Return which pixels the first cells of a ranking cover, for each fraction of all cells."""
    place = np.full(int(cells.max()) + 2, len(ranked), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    place[OUTSIDE] = len(ranked)
    counts = np.rint(fractions * len(ranked)).astype(np.int64)
    return place[cells][None] < counts[:, None, None]
