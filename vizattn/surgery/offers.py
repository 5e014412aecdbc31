"""What can be done at each site of an analysis, and how far its numbers go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from models.mechanism import Kind, blocks_of
from vizattn.analysis import Analysis
from vizattn.attention import Captured, Maps, Rows
from vizattn.geometry import Grid
from vizattn.surgery.operations import Local, Top, operations_for

_RANKED: Mapping[Kind, Callable[[tuple[int, ...]], int]] = {
    Kind.SPATIAL_GATE: prod,
    Kind.ROTATED_GATE: prod,
    Kind.FEATURE_GATE: lambda shape: prod(shape[1:]),
    Kind.GATHERING: lambda shape: prod(shape[1:]),
    Kind.HEIGHT_GATE: lambda shape: shape[1],
    Kind.WIDTH_GATE: lambda shape: shape[1],
}
"""by kind, how many are ranked together in what was captured; the first axis for the others"""


def offers(analysis: Analysis) -> dict[str, dict[str, int | None]]:
    """Return by site the names of what can be done there, with the largest number of each.

    What has no number has None. A site that is no block's own attention is not there.
    """
    blocks = blocks_of(analysis.network.module)
    found = {}
    for captured in analysis.sites:
        path, again, firing = captured.site.partition("#")
        if path in blocks and (not again or firing.isdecimal()):
            names = operations_for(blocks[path])
            most = {Top.name: _ranked(captured), Local.name: _side(captured)}
            found[captured.site] = {
                name: most.get(name) for name in names if name not in most or most[name]
            }
    return found


def _ranked(captured: Captured) -> int:
    maps, rows = getattr(captured, "maps", None), getattr(captured, "rows", None)
    if isinstance(maps, Maps):
        return _RANKED.get(captured.kind, _first)(maps.values.shape)
    if isinstance(rows, Rows):
        return rows.keys
    return _RANKED.get(captured.kind, _first)(captured.shape)


def _first(shape: tuple[int, ...]) -> int:
    return shape[0]


def _side(captured: Captured) -> int | None:
    """Return the side of the smallest odd window that holds the whole map around every place."""
    grid = getattr(captured, "key_grid", None)
    return 2 * max(grid.rows, grid.columns) - 1 if isinstance(grid, Grid) else None
