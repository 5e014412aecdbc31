"""Places of tokens, for every entry of the other axes of a tensor of weights: (entry, token)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vizattn.foreign.scores import Stage
from vizattn.foreign.spread import Places


def several_places(places: Places) -> bool:
    """Return whether tokens have more than one place."""
    known = places.y.isfinite() & places.x.isfinite()
    if not bool(known.any()):
        return False
    return any(bool((each[known] != each[known][0]).any()) for each in (places.y, places.x))


def regular_places(rows: int, columns: int, extra: int) -> Places:
    """Return the places of a regular grid, row by row, after tokens without a place."""
    y = ((torch.arange(rows) + 0.5) / rows)[:, None].expand(rows, columns).flatten()
    x = ((torch.arange(columns) + 0.5) / columns)[None].expand(rows, columns).flatten()
    none = torch.full((extra,), float("nan"))
    return Places(torch.cat([none, y]), torch.cat([none, x]), (-rows, -columns))


def entries_of(places: Places, stage: Stage) -> Places:
    """Return the same places for every entry: each head, and each window, of one side's tokens."""
    lead = math.prod(size for axis, size in enumerate(stage.shape) if axis not in stage.axes)
    return places.each(lambda each: each.expand(lead, len(places.y)))


def flat_entries(coordinate: Tensor, axis: int) -> Tensor:
    """Return (entry, token) from a tensor with one axis of tokens and one of length 1."""
    return coordinate.movedim(axis, -1).flatten(0, -2)
