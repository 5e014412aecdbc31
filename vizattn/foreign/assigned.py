"""Rows of places over a few things that are nowhere: a map for each of these."""

from __future__ import annotations

import math

import torch

from vizattn.attention import Maps
from vizattn.foreign.events import Attended
from vizattn.foreign.grids import laid
from vizattn.foreign.spread import Places
from vizattn.geometry import Size

_MOST_MAPS = 512
"""things and heads, of both together"""
_MOST_NUMBERS = 4_000_000
"""weights that are computed at once"""


def assigned(event: Attended, asked: Places, size: Size) -> Maps | None:
    """Return what each place gives to each of a few things that have none, as one map of each.

    None where these are too many, or the places lie on no grid that all heads share.

    Args:
        event: what was found.
        asked: the places of the queries, (entry, token).
        size: (width, height) of the network's input.
    """
    stage = event.weights.stage
    axes = stage.axes[event.query], stage.axes[1 - event.query]
    queries, keys = (stage.shape[axis] for axis in axes)
    heads = math.prod(stage.shape) // (queries * keys)
    if heads * keys > _MOST_MAPS or heads * keys * queries > _MOST_NUMBERS:
        return None
    where = laid(asked.y, asked.x, size)
    if where is None or bool((where.cells != where.cells[:1]).any()):
        return None
    order = where.cells[0].argsort()
    order = order[where.cells[0][order] >= 0]
    if not torch.equal(where.cells[0][order], torch.arange(len(where.grid))):
        return None
    rows = event.weights.cut(event.query, torch.arange(queries)).movedim(axes, (-2, -1))
    maps = rows.reshape(heads, queries, keys).float().cpu()[:, order].transpose(1, 2)
    placed = maps.reshape(-1, where.grid.rows, where.grid.columns)
    return Maps(placed.numpy(), where.grid, "slot", heads=heads)
