"""What a tap held as a captured kind: one reader for each kind of attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from models.affinities.placewise import over_places
from models.affinity import PairwiseAffinity
from models.mechanism import Kind
from vizattn.attention import (
    Activation,
    Captured,
    ChannelAffinity,
    ChannelGate,
    Maps,
    ModalityGate,
    PlaceAffinity,
    Rows,
    SpatialGate,
)
from vizattn.features import EdgeGate, FeatureMaps, Table, Weights
from vizattn.geometry import Grid
from vizattn.measures import One, affinity_checks, checks_of
from vizattn.placing import grid_of, keys_of, spread


def read(one: One) -> Captured:
    """Return what was read at a tap, with its checks measured.

    Raises:
        ValueError: if nothing here reads that kind, or its sizes do not fit the block's input.
    """
    reader = READERS.get(one.kind)
    if reader is None:
        raise ValueError(f"expected a kind of {list(READERS)}, received {one.kind}")
    return reader(one)


def common(one: One, checks: tuple[Any, ...]) -> dict[str, Any]:
    """Return what all captured kinds share."""
    block = one.firing.block
    return {
        "site": one.site,
        "block": type(block).__name__,
        "kind": one.kind,
        "claim": one.claim,
        "formula": block.formula,
        "checks": checks,
        "part_of": one.firing.site if one.further else None,
        "note": None if one.further else block.note,
    }


def array(values: Tensor) -> np.ndarray:
    """Return a tensor's numbers."""
    return values.float().cpu().numpy()


def _common(one: One, *grids: Grid) -> dict[str, Any]:
    return common(one, checks_of(one, grids))


def _activation(one: One, grid: Grid) -> Activation:
    return Activation(array(one.given[0]), grid)


def _channel_gate(one: One) -> Captured:
    grid, values = grid_of(one), array(one.attention[0]).reshape(-1)
    shared = _common(one, grid)
    activation = _activation(one, grid)
    if len(values) == 1:  # one weight for all channels is the weight of each
        values = np.repeat(values, len(activation.values))
    if len(values) != len(activation.values):
        return Weights(**shared, values=values, axis="channel")
    return ChannelGate(**shared, values=values, activation=activation)


def _spatial_gate(one: One) -> SpatialGate:
    values = array(one.attention[0, 0])
    grid = spread(grid_of(one), *values.shape)
    return SpatialGate(**_common(one, grid), values=values, grid=grid)


def _modality_gate(one: One) -> ModalityGate:
    grid = grid_of(one)
    return ModalityGate(**_common(one, grid), values=array(one.attention[0]), grid=grid)


def _feature_gate(one: One) -> Captured:
    # The same for all places is a gate of channels.
    return _channel_gate(one) if _everywhere_alike(one) else _channel_maps(one)


def _context(one: One) -> Captured:
    if not _everywhere_alike(one):
        return _channel_maps(one)
    values = array(one.attention[0]).reshape(-1)
    return Weights(**_common(one, grid_of(one)), values=values, axis="channel")


def _everywhere_alike(one: One) -> bool:
    return tuple(one.attention.shape[2:]) == (1, 1) and len(grid_of(one)) > 1


def _channel_maps(one: One) -> FeatureMaps:
    values = array(one.attention[0])
    grid = spread(grid_of(one), *values.shape[1:])
    return FeatureMaps(**_common(one, grid), maps=Maps(values, grid, "channel"))


def maps_of(one: One) -> Maps | None:
    """Return what belongs to each codeword, basis or node as maps, or None for other kinds."""
    if one.kind not in _OVER_PLACES:
        return None
    name = one.firing.block.noun or _OVER_PLACES[one.kind]
    values = one.attention[0]
    if one.kind is Kind.ASSIGNMENT:
        values = values.transpose(-1, -2)
    heads = len(values) if values.ndim == 3 else 1
    grid = grid_of(one)
    placed = array(values).reshape(-1, grid.rows, grid.columns)
    return Maps(placed, grid, name, heads=heads)


_OVER_PLACES = {Kind.ASSIGNMENT: "codeword", Kind.GATHERING: "node"}


def _over_places(one: One) -> FeatureMaps:
    maps = maps_of(one)
    if maps is None:
        raise ValueError(f"expected weights over places at {one.site}, received {one.kind}")
    return FeatureMaps(**_common(one, maps.grid), maps=maps)


def _edge_gate(axis: str) -> Callable[[One], EdgeGate]:
    def read_edge(one: One) -> EdgeGate:
        grid = grid_of(one)
        values = array(one.attention[0])
        return EdgeGate(**_common(one, grid), axis=axis, values=values, grid=grid)

    return read_edge


def _rotated_gate(one: One) -> Table:
    first, second = one.firing.block.axes
    grid = grid_of(one)
    responds = Maps(array(one.given[0]), grid, "channel")
    return Table(
        **_common(one, grid),
        values=array(one.attention[0]),
        row_axis=first,
        column_axis=second,
        row_maps=responds if first == "channel" else None,
        column_maps=responds if second == "channel" else None,
    )


def _table(rows: str, columns: str) -> Callable[[One], Table]:
    def read_table(one: One) -> Table:
        values = array(one.attention[0])
        return Table(**_common(one), values=values, row_axis=rows, column_axis=columns)

    return read_table


def _weights(axis: str) -> Callable[[One], Weights]:
    return lambda one: Weights(**_common(one), values=array(one.attention[0]), axis=axis)


def _place_affinity(one: One) -> PlaceAffinity:
    queries = grid_of(one)
    keys = keys_of(one, queries)
    return placed_rows(one, one.attention, queries, keys, affinity_checks(one, (queries, keys)))


def placed_rows(
    one: One,
    affinity: PairwiseAffinity,
    queries: Grid,
    keys: Grid,
    checks: tuple[Any, ...],
    **named: Any,
) -> PlaceAffinity:
    """Return rows over places; cells without a token, or tokens without one, fail the geometry."""
    block, rows = one.firing.block, Rows(affinity)
    bands, extra = block.bands(), block.extra
    # Every cell has its token: what is drawn over the cells is every key, and nothing twice.
    astray = abs(bands * (rows.queries - len(extra)) - len(queries))
    astray += abs(bands * (rows.keys - len(extra)) - len(keys))
    *others, located = checks
    checks = (*others, replace(located, value=located.value + astray))
    return PlaceAffinity(
        **common(one, checks) | named,
        rows=rows,
        query_grid=queries,
        key_grid=keys,
        bands=bands,
        extra=extra,
    )


def _channel_affinity(one: One) -> ChannelAffinity:
    grid = grid_of(one)
    shared = common(one, affinity_checks(one, (grid,)))
    return ChannelAffinity(**shared, rows=Rows(one.attention), activation=_activation(one, grid))


def _channel_place_affinity(one: One) -> PlaceAffinity:
    grid = grid_of(one)
    rows = over_places(one.attention, len(grid))
    return placed_rows(one, rows, grid, grid, affinity_checks(one, (grid,)))


READERS: dict[Kind, Callable[[One], Captured]] = {
    Kind.CHANNEL_GATE: _channel_gate,
    Kind.SPATIAL_GATE: _spatial_gate,
    Kind.MODALITY_GATE: _modality_gate,
    Kind.FEATURE_GATE: _feature_gate,
    Kind.CONTEXT: _context,
    Kind.ASSIGNMENT: _over_places,
    Kind.GATHERING: _over_places,
    Kind.HEIGHT_GATE: _edge_gate("height"),
    Kind.WIDTH_GATE: _edge_gate("width"),
    Kind.ROTATED_GATE: _rotated_gate,
    Kind.COVARIANCE: _table("feature", "feature"),
    Kind.NODE_AFFINITY: _table("node", "node"),
    Kind.DESCRIPTORS: _table("channel", "node"),
    Kind.BRANCH_GATE: _table("branch", "channel"),
    Kind.EXPERT_GATE: _weights("expert"),
    Kind.PRESENCE: _weights("class"),
    Kind.PLACE_AFFINITY: _place_affinity,
    Kind.TOKEN_AFFINITY: _place_affinity,
    Kind.CHANNEL_AFFINITY: _channel_affinity,
    Kind.CHANNEL_PLACE_AFFINITY: _channel_place_affinity,
}
