"""How much of every cell lies in a part of the picture: exact areas, so that counts add up.

People are spread evenly over the part of their cell that is on the picture: a part of the picture
holds of each cell's people what it covers of that cell, and parts that tile it hold all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from vizattn.geometry import Framing, Grid, Point
from vizattn.texts import Refused

Edges = Float[np.ndarray, " edge"]
Polygon = Sequence[Point]
MOST_CORNERS = 1000
"""of a polygon: each is compared with every other"""
MOST_SLABS = 3000
"""a scribble that crosses itself thousands of times is no region, and would take seconds"""


class BadRegion(Refused):
    """What should be a region of the picture is no polygon."""


def cell_edges(grid: Grid, framing: Framing) -> tuple[Edges, Edges]:
    """Return where cells begin and end along x and y, in pixels of the original.

    Edges beyond the picture are moved onto its border: what was padded has no area.
    """
    counts = grid.columns, grid.rows
    edges = []
    for axis, side in enumerate(framing.original):
        model = grid.origin[axis] + np.arange(counts[axis] + 1) * grid.cell[axis]
        pixels = (model - framing.offset[axis]) / framing.scale[axis]
        # The last cell ends with the picture, whatever rounding says.
        edges.append(np.where(np.abs(pixels - side) < 1e-9 * side, side, pixels).clip(0, side))
    return edges[0], edges[1]


def shares(edges: Edges, parts: Edges) -> Float[np.ndarray, "part cell"]:
    """Return what share of each cell along one axis lies in each part; 0 for cells of no width.

    Args:
        edges: where the cells begin and end, ascending.
        parts: where the parts begin and end, ascending.
    """
    widths = np.diff(edges)
    # Of each cell, what lies before the end of each part.
    passed = np.clip(parts[:, None] - edges[:-1], 0, widths)
    return np.diff(passed, axis=0) / np.where(widths > 0, widths, 1)


def own_cells(grid: Grid, framing: Framing) -> Float[np.ndarray, "row column"]:
    """Return what share of each cell lies on the picture, 0..1: 0 where only padding is."""
    x, y = cell_edges(grid, framing)
    wide, high = (
        np.diff(edges) * scale / cell
        for edges, scale, cell in zip((x, y), framing.scale, grid.cell, strict=True)
    )
    return np.outer(high, wide).clip(0, 1)


def coverage(polygon: Polygon, grid: Grid, framing: Framing) -> Float[np.ndarray, "row column"]:
    """Return what share of each cell's own area a polygon covers, exactly.

    The polygon may have any shape; where it crosses itself or runs round twice, everything that
    it runs around is inside (nonzero winding), as when a canvas fills it.

    Args:
        polygon: its corners (x, y) in pixels of the original; what is off the picture is cut off.
        grid: where the cells are.
        framing: where the picture is.

    Raises:
        BadRegion: if there are fewer than three corners or too many, one is no place, or the
            outline crosses itself thousands of times.
    """
    corners = _corners(polygon)
    x, y = cell_edges(grid, framing)
    slabs = _slabs(corners, y)
    if len(slabs) > MOST_SLABS:
        raise BadRegion("crowd_engine.bad_region", most=MOST_CORNERS)
    areas = np.zeros((grid.rows, grid.columns))
    for top, bottom in pairwise(slabs):
        row = np.searchsorted(y, (top + bottom) / 2) - 1
        areas[row] += _slab_areas(corners, top, bottom, x)
    whole = np.outer(np.diff(y), np.diff(x))
    return (areas / np.where(whole > 0, whole, 1)).clip(0, 1)


def _corners(polygon: Polygon) -> Float[np.ndarray, "corner 2"]:
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadRegion("crowd_engine.bad_region", most=MOST_CORNERS) from None
    fits = corners.ndim == 2 and corners.shape[1] == 2 and 3 <= len(corners) <= MOST_CORNERS
    if not fits or not np.isfinite(corners).all():
        raise BadRegion("crowd_engine.bad_region", most=MOST_CORNERS)
    return corners


def _slabs(corners: Float[np.ndarray, "corner 2"], y: Edges) -> Float[np.ndarray, " y"]:
    """Return the heights between which no edge begins, ends, meets another or leaves a row."""
    heights = np.concatenate([y, corners[:, 1], _crossings(corners)])
    return np.unique(heights[(heights >= y[0]) & (heights <= y[-1])])


def _crossings(corners: Float[np.ndarray, "corner 2"]) -> Float[np.ndarray, " y"]:
    """Return the heights at which edges of a polygon cross each other."""
    start, step = corners, np.roll(corners, -1, axis=0) - corners
    between = start[None] - start[:, None]
    cross = _cross(step[:, None], step[None])
    meet = np.abs(cross) > 0
    safe = np.where(meet, cross, 1)
    along, other = (_cross(between, each) / safe for each in (step[None], step[:, None]))
    inner = meet & (along > 0) & (along < 1) & (other > 0) & (other < 1)
    heights = start[:, None, 1] + along * step[:, None, 1]
    return np.asarray(heights[inner])


def _cross(
    a: Float[np.ndarray, "*edges 2"], b: Float[np.ndarray, "*edges 2"]
) -> Float[np.ndarray, "*edges"]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _slab_areas(
    corners: Float[np.ndarray, "corner 2"], top: float, bottom: float, x: Edges
) -> Float[np.ndarray, " column"]:
    """Return the area inside a polygon and each column, between two heights that no edge bends
    between.
    """
    following = np.roll(corners, -1, axis=0)
    middle = (top + bottom) / 2
    low = np.minimum(corners[:, 1], following[:, 1])
    high = np.maximum(corners[:, 1], following[:, 1])
    active = (low < middle) & (middle < high)
    if not active.any():
        return np.zeros(len(x) - 1)
    (x0, y0), (x1, y1) = corners[active].T, following[active].T
    slope = (x1 - x0) / (y1 - y0)
    above, below = (x0 + (height - y0) * slope for height in (top, bottom))
    order = np.argsort(above + below, kind="stable")
    winding = np.cumsum(np.where(y1 > y0, 1, -1)[order])
    before = np.concatenate([[0], winding[:-1]])
    # What lies left of the edge where the inside ends, less what lies left of where it began.
    sign = (winding == 0).astype(float) - (before == 0)
    left = _left_of(above[order], below[order], x)
    return (bottom - top) * np.diff(sign @ left)


def _left_of(
    above: Float[np.ndarray, " edge"], below: Float[np.ndarray, " edge"], x: Edges
) -> Float[np.ndarray, "edge x"]:
    """Return how far each slanted edge reaches to the right, on the mean, if it stops at each x."""
    low, high = np.minimum(above, below)[:, None], np.maximum(above, below)[:, None]
    span = np.where(high > low, high - low, 1)
    stop = np.clip(x, low, high)
    # Up to the stop the edge itself counts, from there on the stop does.
    slanted = ((stop - low) * (low + stop) / 2 + (high - stop) * stop) / span
    return np.where(x <= low, x, np.where(high > low, slanted, low))
