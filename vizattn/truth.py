"""Turn what a tap held into a captured kind, and measure whether it is what the network used."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity, RowwiseAffinity
from models.mechanism import Claim, Kind
from vizattn.attention import (
    Activation,
    Captured,
    ChannelAffinity,
    ChannelGate,
    Check,
    ModalityGate,
    PlaceAffinity,
    Rows,
    SpatialGate,
)
from vizattn.capture import Firing
from vizattn.geometry import Framing, Grid, Size

CLAIM_LIMIT = 1e-4
"""how far a row sum may be from 1, or a value outside its range"""
OUTPUT_LIMIT = 1e-3
"""how far f(captured attention, captured input) may be from the output, over its largest value"""
GEOMETRY_LIMIT = 1e-6
"""how far, in original pixels, a point may come back from where it started"""


def captured(firing: Firing, item: int, framing: Framing) -> Captured:
    """Return one picture's attention at one site, with its checks measured.

    Args:
        firing: what the block did for a batch.
        item: which picture of the batch.
        framing: where that picture is in the model's input.

    Raises:
        ValueError: if nothing here reads the block's kind.
    """
    read = _READERS.get(firing.block.kind)
    if read is None:
        raise ValueError(f"expected a kind of {list(_READERS)}, received {firing.block.kind}")
    return read(_one(firing, item), framing)


@dataclass(frozen=True)
class _One:
    """A firing cut down to one picture, a batch of one."""

    firing: Firing
    attention: Any
    inputs: tuple[Float[Tensor, "1 channel row column"], ...]
    returned: Float[Tensor, "1 channel row column"]

    @property
    def given(self) -> Float[Tensor, "1 channel row column"]:
        """Return the first input."""
        return self.inputs[0]


def _one(firing: Firing, item: int) -> _One:
    if isinstance(firing.attention, PairwiseAffinity):
        attention = firing.attention.select(item)
    else:
        attention = firing.attention[item : item + 1]
    part = slice(item, item + 1)
    inputs = tuple(given[part] for given in firing.inputs)
    return _One(firing, attention, inputs, firing.returned[part])


class _MeasuredRows(PairwiseAffinity):
    """Aggregates through explicit rows and remembers how far they were from their claim."""

    def __init__(self, of: PairwiseAffinity, claim: Claim) -> None:
        self._of = of
        self._claim = claim
        self.worst = 0.0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._of.shape

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        rows = self._of.rows(queries)
        self.worst = max(self.worst, _deviation(rows, self._claim))
        return rows

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return RowwiseAffinity(self).aggregate(value)

    def select(self, item: int) -> PairwiseAffinity:
        return _MeasuredRows(self._of.select(item), self._claim)


def _deviation(values: Tensor, claim: Claim) -> float:
    """Return how far values are outside what a claim promises; infinite where not finite."""
    low, high = (each.item() for each in torch.aminmax(values))
    # A number that is none, or infinite, is the least or the greatest of them.
    if not (math.isfinite(low) and math.isfinite(high)):
        return float("inf")
    if claim is Claim.UNIT:
        return max(0.0, -low, high - 1)
    if claim is Claim.SIMPLEX:
        return max(0.0, -low, (values.sum(dim=-1) - 1).abs().max().item())
    return max(0.0, -low) if claim is Claim.POSITIVE else 0.0


def _output_check(one: _One, attention: Any) -> Check:
    """Apply f again, to the attention that people are shown, and compare with what came out."""
    with torch.inference_mode():
        again = one.firing.block.apply_attention(attention, *one.inputs)
    difference = (again - one.returned).abs().max().item()
    scale = max(1.0, one.returned.abs().max().item())
    value = difference / scale
    return Check("output", value if value == value else float("inf"), OUTPUT_LIMIT)


def _geometry_check(framing: Framing, grids: tuple[Grid, ...]) -> Check:
    # Rows and columns are independent: the first of each stand for all cells.
    wrong = sum(
        grid.cell_at(grid.centre(index)) != index
        for grid in dict.fromkeys(grids)
        for index in (*range(grid.columns), *range(0, len(grid), grid.columns))
    )
    return Check("geometry", framing.round_trip_error() + wrong, GEOMETRY_LIMIT)


def _gate_checks(one: _One, framing: Framing, grid: Grid, axis: int = -1) -> tuple[Check, ...]:
    """Measure a gate's claims; a simplex sums to 1 along ``axis``."""
    weights = one.attention.movedim(axis, -1)
    claim = Check("claim", _deviation(weights, one.firing.block.claim), CLAIM_LIMIT)
    return claim, _output_check(one, one.attention), _geometry_check(framing, (grid,))


def _affinity_checks(one: _One, framing: Framing, grids: tuple[Grid, ...]) -> tuple[Check, ...]:
    measured = _MeasuredRows(one.attention, one.firing.block.claim)
    output = _output_check(one, measured)
    claim = Check("claim", measured.worst, CLAIM_LIMIT)
    return claim, output, _geometry_check(framing, grids)


def _grid(one: _One, input_size: Size, cells: int = 1) -> Grid:
    rows, columns = one.given.shape[2] // cells, one.given.shape[3] // cells
    stride = one.firing.block.stride
    if stride is not None:
        return Grid(rows, columns, (stride * cells, stride * cells))
    # A host that does not say how wide its cells are has spread them over the whole input.
    return Grid(rows, columns, (input_size[0] / columns, input_size[1] / rows))


def _activation(one: _One, grid: Grid) -> Activation:
    return Activation(one.given[0].float().cpu().numpy(), grid)


def _common(one: _One, checks: tuple[Check, ...]) -> dict[str, Any]:
    block = one.firing.block
    return {
        "site": one.firing.site,
        "block": type(block).__name__,
        "kind": block.kind,
        "claim": block.claim,
        "formula": block.formula,
        "checks": checks,
    }


def _channel_gate(one: _One, framing: Framing) -> ChannelGate:
    grid = _grid(one, framing.input)
    values = one.attention[0].float().cpu().numpy()
    checks = _gate_checks(one, framing, grid)
    return ChannelGate(**_common(one, checks), values=values, activation=_activation(one, grid))


def _spatial_gate(one: _One, framing: Framing) -> SpatialGate:
    grid = _grid(one, framing.input)
    values = one.attention[0, 0].float().cpu().numpy()
    return SpatialGate(**_common(one, _gate_checks(one, framing, grid)), values=values, grid=grid)


def _modality_gate(one: _One, framing: Framing) -> ModalityGate:
    grid = _grid(one, framing.input)
    values = one.attention[0].float().cpu().numpy()
    checks = _gate_checks(one, framing, grid, axis=1)
    return ModalityGate(**_common(one, checks), values=values, grid=grid)


def _place_affinity(one: _One, framing: Framing) -> PlaceAffinity:
    block = one.firing.block
    queries, keys = (_grid(one, framing.input, n) for n in (1, block.key_cells()))
    claim, output, geometry = _affinity_checks(one, framing, (queries, keys))
    rows = Rows(one.attention)
    bands = block.bands()
    # Every cell has its token: what is drawn over the cells is every key, and nothing twice.
    astray = abs(bands * rows.queries - len(queries)) + abs(bands * rows.keys - len(keys))
    checks = (claim, output, replace(geometry, value=geometry.value + astray))
    return PlaceAffinity(
        **_common(one, checks), rows=rows, query_grid=queries, key_grid=keys, bands=bands
    )


def _channel_affinity(one: _One, framing: Framing) -> ChannelAffinity:
    grid = _grid(one, framing.input)
    checks = _affinity_checks(one, framing, (grid,))
    rows = Rows(one.attention)
    return ChannelAffinity(**_common(one, checks), rows=rows, activation=_activation(one, grid))


_READERS: dict[Kind, Callable[[_One, Framing], Captured]] = {
    Kind.CHANNEL_GATE: _channel_gate,
    Kind.SPATIAL_GATE: _spatial_gate,
    Kind.MODALITY_GATE: _modality_gate,
    Kind.PLACE_AFFINITY: _place_affinity,
    Kind.CHANNEL_AFFINITY: _channel_affinity,
}
