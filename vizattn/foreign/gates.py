"""Gates as captured kinds: which of a gate's axes are places and which are channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.mechanism import Claim, Kind
from vizattn.attention import Activation, Captured, ChannelGate, Maps, SpatialGate
from vizattn.features import EdgeGate, FeatureMaps, Table
from vizattn.foreign.events import Gated
from vizattn.foreign.graph import broadcast
from vizattn.foreign.grids import Laid, laid
from vizattn.foreign.spread import Places
from vizattn.geometry import Grid, Size


@dataclass(frozen=True)
class GateOf:
    """A gate and what it multiplies with one axis of channels and two of places.

    Args:
        kind: which of them the gate has.
        values: of the gate, (channel or 1, row or 1, column or 1); of branches (branch, channel,
            1).
        features: what it multiplies; of branches what comes of them.
        grid: the cells.
    """

    kind: Kind
    values: Float[Tensor, "_ _ _"]
    features: Float[Tensor, "channel row column"]
    grid: Grid

    @property
    def shared(self) -> tuple[int, ...]:
        """Return the axes over which weights may sum to 1: branches, else places."""
        return (0,) if self.kind is Kind.BRANCH_GATE else (1, 2)

    @property
    def claim(self) -> Claim:
        """Return what the values are seen to promise."""
        low, high = (each.item() for each in torch.aminmax(self.values))
        several = any(self.values.shape[axis] > 1 for axis in self.shared)
        total = self.values.sum(dim=self.shared)
        if low >= 0 and several and bool(((total - 1).abs() < 1e-3).all()):
            return Claim.SIMPLEX
        if low >= 0:
            return Claim.UNIT if high <= 1 else Claim.POSITIVE
        return Claim.SIGNED


def gate_of(event: Gated, places: Places | None, size: Size) -> GateOf | None:
    """Return a gate by its axes; None where what it multiplies lies not once each on a grid.

    Args:
        event: the gate.
        places: of what it multiplies, or of the gate where that has none.
        size: (width, height) of the network's input.
    """
    shape = event.features.shape
    if places is None or broadcast(places.y.shape, shape) != tuple(shape):
        return None
    places = places.each(lambda each: each.expand(shape))
    axes = [axis for axis in range(len(shape)) if _varies(places, axis)]
    where = _on_grid(places, axes, size)
    if where is None or not axes or _twice(where):
        return None
    gate = event.gate.tensor.float().cpu()
    gate = gate.reshape((1,) * (len(shape) - gate.dim()) + tuple(gate.shape))
    features = event.features.tensor.float().cpu()
    channels = [axis for axis in range(len(shape)) if axis not in axes]
    wide = any(gate.shape[axis] > 1 for axis in channels)
    order = [*channels, *axes]
    laid_features = _cells(features.permute(order), len(channels), where)
    if event.branches:
        values = gate.expand(-1, *(shape[a] if a in channels else 1 for a in range(len(shape))))
        values = values.flatten(1)[..., None]
        return GateOf(Kind.BRANCH_GATE, values, laid_features, where.grid)
    if not any(gate.shape[axis] > 1 for axis in axes):
        values = gate.expand(*(shape[a] if a in channels else 1 for a in range(len(shape))))
        values = values.permute(order).reshape(-1, 1, 1)
        return GateOf(Kind.CHANNEL_GATE, values, laid_features, where.grid)
    stretched = gate.expand(
        *(gate.shape[a] if a in channels and not wide else shape[a] for a in range(len(shape)))
    )
    values = _cells(stretched.permute(order), len(channels), where)
    if wide:
        return GateOf(_edge(values), values, laid_features, where.grid)
    kind = Kind.SPATIAL_GATE if _edge(values) is Kind.FEATURE_GATE else _edge(values)
    return GateOf(kind, values, laid_features, where.grid)


def _varies(places: Places, axis: int) -> bool:
    for each in (places.y, places.x):
        if each.shape[axis] > 1 and each.stride(axis) != 0:
            known = each.nan_to_num(nan=-0.5)
            if bool((known != known.narrow(axis, 0, 1)).any()):
                return True
    return False


def _on_grid(places: Places, axes: list[int], size: Size) -> Laid | None:
    """Return where the places of some axes are, in the order of these axes."""
    index = tuple(slice(None) if axis in axes else 0 for axis in range(places.y.dim()))
    return laid(places.y[index].flatten(), places.x[index].flatten(), size)


def _twice(where: Laid) -> bool:
    """Return whether something lies twice in a cell, as where neighbourhoods overlap."""
    known = where.cells[where.cells >= 0]
    return len(known.unique()) < len(known)


def _cells(tensor: Tensor, channels: int, where: Laid) -> Float[Tensor, "channel row column"]:
    """Return channels over the grid's cells; a cell that nothing lies in is 0."""
    flat = tensor.flatten(channels) if channels else tensor.flatten()[None]
    flat = flat.reshape(-1, flat.shape[-1])
    count = len(where.grid)
    index = torch.where(where.cells < 0, count, where.cells)
    placed = torch.zeros(flat.shape[0], count + 1)
    placed[:, index] = flat
    return placed[:, :count].reshape(-1, where.grid.rows, where.grid.columns)


def _edge(values: Float[Tensor, "channel row column"]) -> Kind:
    """Return which axes of places a gate has."""
    if bool((values == values[:, :, :1]).all()) and values.shape[2] > 1:
        return Kind.HEIGHT_GATE
    if bool((values == values[:, :1]).all()) and values.shape[1] > 1:
        return Kind.WIDTH_GATE
    return Kind.FEATURE_GATE


def captured_gate(found: GateOf, common: dict[str, Any]) -> Captured:
    """Return a gate as the captured kind of its axes."""
    return _KINDS[found.kind](found, common)


def _channel(found: GateOf, common: dict[str, Any]) -> Captured:
    activation = Activation(found.features.numpy(), found.grid)
    return ChannelGate(**common, values=found.values.flatten().numpy(), activation=activation)


def _branches(found: GateOf, common: dict[str, Any]) -> Captured:
    responds = Maps(found.features.numpy(), found.grid, "channel")
    values = found.values[..., 0].numpy()
    return Table(
        **common, values=values, row_axis="branch", column_axis="channel", column_maps=responds
    )


def _spatial(found: GateOf, common: dict[str, Any]) -> Captured:
    return SpatialGate(**common, values=found.values[0].numpy(), grid=found.grid)


def _feature(found: GateOf, common: dict[str, Any]) -> Captured:
    return FeatureMaps(**common, maps=Maps(found.values.numpy(), found.grid, "channel"))


def _height(found: GateOf, common: dict[str, Any]) -> Captured:
    values = found.values[:, :, 0].numpy()
    return EdgeGate(**common, axis="height", values=values, grid=found.grid)


def _width(found: GateOf, common: dict[str, Any]) -> Captured:
    values = found.values[:, 0].numpy()
    return EdgeGate(**common, axis="width", values=values, grid=found.grid)


_KINDS: dict[Kind, Callable[[GateOf, dict[str, Any]], Captured]] = {
    Kind.CHANNEL_GATE: _channel,
    Kind.BRANCH_GATE: _branches,
    Kind.SPATIAL_GATE: _spatial,
    Kind.FEATURE_GATE: _feature,
    Kind.HEIGHT_GATE: _height,
    Kind.WIDTH_GATE: _width,
}
