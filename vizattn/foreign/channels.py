"""Rows over channels: where channels ask channels, each head those of its own group."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from models.affinity import PairwiseAffinity
from vizattn.attention import Activation
from vizattn.foreign.events import Attended
from vizattn.foreign.folded import FoldedAffinity
from vizattn.foreign.grids import Laid, laid
from vizattn.foreign.places import Follower
from vizattn.foreign.spread import Places
from vizattn.geometry import Size


@dataclass(frozen=True)
class ChannelRows:
    """Rows over channels, and what these respond to.

    Args:
        rows: over all channels; those of another head get 0.
        activation: the map of each channel.
    """

    rows: PairwiseAffinity
    activation: Activation


def channel_rows(event: Attended, follower: Follower, size: Size) -> ChannelRows | None:
    """Return rows over channels; None where it is not channels that ask and are heard.

    Args:
        event: what was found.
        follower: knows the places of tensors.
        size: (width, height) of the network's input.
    """
    side, stage = event.sides[1 - event.query], event.weights.stage
    lead = [length for axis, length in enumerate(stage.shape) if axis not in stage.axes]
    asked, count = (stage.shape[stage.axes[each]] for each in (event.query, 1 - event.query))
    heads = max(lead, default=1)
    if side is None or event.features is None or asked != count or heads != prod(lead):
        return None
    inside = -1 if side.axis == -2 else -2
    if not follower.varies(side.node, side.view, inside):
        return None
    where = _where(follower.tokens(side.node, side.view, inside), size)
    values = event.features.tensor.float().cpu()
    values = values.reshape(-1, values.shape[-1])
    if where is None or values.shape != (heads * count, where.cells.numel()):
        return None
    channels = torch.arange(heads * count).view(heads, count)
    whole = FoldedAffinity(
        event.weights,
        event.query,
        torch.arange(heads)[:, None],
        torch.stack([channels // count, channels % count], dim=-1).flatten(0, 1),
        channels,
        heads * count,
    )
    maps = values[:, where.cells.argsort()]
    maps = maps.reshape(-1, where.grid.rows, where.grid.columns)
    return ChannelRows(whole, Activation(maps.numpy(), where.grid))


def _where(places: Places | None, size: Size) -> Laid | None:
    """Return the cells that all channels have; None where heads see different places."""
    if places is None:
        return None
    flat = places.each(_lines)
    if any(bool((each != each[:1]).any()) for each in (flat.y, flat.x)):
        return None
    where = laid(flat.y[0], flat.x[0], size)
    whole = where is not None and len(where.cells.unique()) == len(where.grid)
    return where if whole else None


def _lines(coordinate: Tensor) -> Tensor:
    """Return (entry, place) from (..., place, 1) or (..., 1, place)."""
    return coordinate.reshape(-1, coordinate.shape[-1] * coordinate.shape[-2])
