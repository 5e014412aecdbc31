"""Places of tokens, for every entry of the other axes of a tensor of weights: (entry, token)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vizattn.foreign.coordinates import varies
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


def shared_places(places: Places, lead: Sequence[int]) -> Places | None:
    """Return the places of tokens for every entry of weights, (entry, token).

    None where weights that several share, as all channels do, are applied at different places.

    Args:
        places: (..., token).
        lead: lengths of the axes of the weights besides those of tokens.
    """
    y, x = (_once(each, lead) for each in (places.y, places.x))
    if y is None or x is None:
        return None
    spread = Places(y, x, places.origin)
    return spread.each(lambda each: each.expand(*lead, each.shape[-1]).reshape(-1, each.shape[-1]))


def _once(coordinate: Tensor, lead: Sequence[int]) -> Tensor | None:
    """Return a coordinate with 1 along axes of entries that weights do not have."""
    more = coordinate.dim() - 1 - len(lead)
    for axis, length in enumerate(coordinate.shape[:-1]):
        own = 1 if axis < more else lead[axis - more]
        if length == own or length == 1:
            continue
        if own > 1 or varies(coordinate, axis):
            return None
        coordinate = coordinate.narrow(axis, 0, 1)
    return coordinate.reshape(coordinate.shape[max(0, more) :])


def flat_entries(coordinate: Tensor, axis: int) -> Tensor:
    """Return (entry, token) from a tensor with one axis of tokens and one of length 1."""
    return coordinate.movedim(axis, -1).flatten(0, -2)
