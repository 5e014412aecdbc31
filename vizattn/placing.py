"""Where the cells of what was read at a tap are in the model's input."""

from __future__ import annotations

import math

from vizattn.geometry import Grid
from vizattn.measures import One


def grid_of(one: One) -> Grid:
    """Return the grid of the block's first input.

    Raises:
        ValueError: if tokens cannot fill a grid of the picture's shape.
    """
    if one.given.ndim == 3:
        return _of_tokens(one)
    rows, columns = one.given.shape[2:]
    laid = one.firing.block.laid(*one.inputs)
    width, height = _host_cell(one, laid.host)
    down, across = laid.cell
    origin = (laid.origin[1] * width, laid.origin[0] * height)
    return Grid(rows, columns, (width * across, height * down), origin)


def spread(grid: Grid, rows: int, columns: int) -> Grid:
    """Return the grid of another map over the same part of the input, of rows and columns."""
    if (rows, columns) == (grid.rows, grid.columns):
        return grid
    cell = (grid.cell[0] * grid.columns / columns, grid.cell[1] * grid.rows / rows)
    return Grid(rows, columns, cell, grid.origin)


def keys_of(one: One, queries: Grid) -> Grid:
    """Return the grid of the keys of a block's affinity, given that of its queries."""
    block = one.firing.block
    rows, columns = block.key_grid(queries.rows, queries.columns)
    cells = block.key_cells()
    if cells == 1:
        return spread(queries, rows, columns)
    cell = (queries.cell[0] * cells, queries.cell[1] * cells)
    return Grid(rows, columns, cell, queries.origin)


def _host_cell(one: One, host: tuple[int, int]) -> tuple[float, float]:
    stride = one.firing.block.stride
    if stride is not None:
        return float(stride), float(stride)
    # A host that does not say how wide its cells are has spread them over the whole input.
    width, height = one.framing.input
    return width / host[1], height / host[0]


def _of_tokens(one: One) -> Grid:
    """Return the grid that tokens fill row by row, of the cells that are nearest to squares."""
    block, (width, height) = one.firing.block, one.framing.input
    places = one.given.shape[1] - len(block.extra)
    shapes = [(n, places // n) for n in range(1, places + 1) if places % n == 0]
    if not shapes:
        raise ValueError(f"expected tokens for places at {one.site}, received {places}")
    rows, columns = min(
        shapes, key=lambda shape: abs(math.log(width / shape[1]) - math.log(height / shape[0]))
    )
    return Grid(rows, columns, (width / columns, height / rows))
