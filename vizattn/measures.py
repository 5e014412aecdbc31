"""What is measured of one picture's attention: its claim, what it gives, where its cells are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity, RowwiseAffinity
from models.mechanism import Claim, Kind
from vizattn.attention import Check
from vizattn.geometry import Framing, Grid
from vizattn.passes import Firing, Heard

CLAIM_LIMIT = 1e-4
"""how far a row sum may be from 1, or a value outside its range"""
OUTPUT_LIMIT = 1e-3
"""how far f(captured attention, captured input) may be from the output, over its largest value"""
GEOMETRY_LIMIT = 1e-6
"""how far, in original pixels, a point may come back from where it started"""
MOST_WEIGHTS = 2**28
"""of an affinity with more weights some rows are measured, evenly spread, and not all"""
_SOME_ROWS = 512
_AT_ONCE = 256


@dataclass(frozen=True)
class One:
    """What was read at one tap, cut down to one picture: a batch of one.

    Args:
        firing: what the block did.
        attention: what passed the tap.
        inputs: what the block was given.
        returned: the block's output.
        framing: where the picture is in the model's input.
        site: the block's path, or the further tap's.
        kind: what sort of thing is weighed.
        claim: what its values promise.
        further: whether it passed a further tap, and not the block's own.
    """

    firing: Firing
    attention: Any
    inputs: tuple[Float[Tensor, "1 channel row column"], ...]
    returned: Float[Tensor, "1 channel row column"]
    framing: Framing
    site: str
    kind: Kind
    claim: Claim
    further: bool = False

    @property
    def given(self) -> Float[Tensor, "1 channel row column"]:
        """Return the first input."""
        return self.inputs[0]


def one_of(firing: Firing, item: int, framing: Framing) -> One:
    """Return what a block did for one picture of a batch."""
    part = slice(item, item + 1)
    inputs = tuple(given[part] for given in firing.inputs)
    block, cut = firing.block, _cut(firing.attention, item)
    returned = firing.returned[part]
    return One(firing, cut, inputs, returned, framing, firing.site, block.kind, block.claim)


def further(one: One, heard: Heard, item: int) -> One:
    """Return what passed a further tap of a block for the same picture."""
    auxiliary = heard.auxiliary
    return replace(
        one,
        attention=_cut(heard.value, item),
        site=heard.site,
        kind=auxiliary.kind,
        claim=auxiliary.claim,
        further=True,
    )


def _cut(value: Any, item: int) -> Any:
    if isinstance(value, PairwiseAffinity):
        return value.select(item)
    return value[item : item + 1]


class MeasuredRows(PairwiseAffinity):
    """Aggregates through explicit rows and remembers how far they were from their claim.

    Of an affinity with more than ``MOST_WEIGHTS`` some rows stand for all.
    """

    def __init__(self, of: PairwiseAffinity, claim: Claim) -> None:
        self._of = of
        self._claim = claim
        self.worst = 0.0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self._of.shape

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        rows = self._of.rows(queries)
        self.worst = max(self.worst, deviation(rows, self._claim))
        return rows

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        if math.prod(self.shape) <= MOST_WEIGHTS:
            return RowwiseAffinity(self).aggregate(value)
        gathered = self._of.aggregate(value).clone()
        step = max(1, self.shape[2] // _SOME_ROWS)
        some = torch.arange(0, self.shape[2], step, device=value.device)
        gathered[:, :, some] = self.rows(some) @ value
        return gathered

    def select(self, item: int) -> PairwiseAffinity:
        return MeasuredRows(self._of.select(item), self._claim)

    def measured(self, most: int | None = None) -> float:
        """Return the worst of all rows, or of at most so many, without aggregating anything."""
        step = max(1, math.prod(self.shape) // MOST_WEIGHTS)
        if most is not None:
            step = max(step, -(-self.shape[2] // most))
        for block in torch.arange(0, self.shape[2], step).split(_AT_ONCE):
            self.rows(block)
        return self.worst


def deviation(values: Tensor, claim: Claim, axes: tuple[int, ...] = (-1,)) -> float:
    """Return how far values are outside what a claim promises; infinite where not finite.

    Args:
        values: the weights.
        claim: what they promise.
        axes: over which a simplex sums to 1.
    """
    low, high = (each.item() for each in torch.aminmax(values))
    # A number that is none, or infinite, is the least or the greatest of them.
    if not (math.isfinite(low) and math.isfinite(high)):
        return float("inf")
    if claim is Claim.UNIT:
        return max(0.0, -low, high - 1)
    if claim is Claim.SIMPLEX:
        return max(0.0, -low, (values.sum(dim=axes) - 1).abs().max().item())
    return max(0.0, -low) if claim is Claim.POSITIVE else 0.0


def checks_of(one: One, grids: Iterable[Grid]) -> tuple[Check, ...]:
    """Return what is measured of an attention that is a tensor.

    A step on the way is not applied to anything, so it has no output to be compared with.
    """
    off = deviation(one.attention, one.claim, one.kind.simplex_axes)
    output = () if one.further else (_output(one, one.attention),)
    return Check("claim", off, CLAIM_LIMIT), *output, geometry(one.framing, grids)


def affinity_checks(one: One, grids: Iterable[Grid]) -> tuple[Check, ...]:
    """Return what is measured of an affinity, through the rows that people are shown."""
    measured = MeasuredRows(one.attention, one.claim)
    output = () if one.further else (_output(one, measured),)
    worst = measured.measured() if one.further else measured.worst
    return Check("claim", worst, CLAIM_LIMIT), *output, geometry(one.framing, grids)


def rows_claim(affinity: PairwiseAffinity, claim: Claim, most: int | None = None) -> Check:
    """Return how far the rows of an affinity, or at most so many of them, are from a claim."""
    return Check("claim", MeasuredRows(affinity, claim).measured(most), CLAIM_LIMIT)


def _output(one: One, attention: Any) -> Check:
    """Apply f again, to the attention that people are shown, and compare with what came out."""
    with torch.inference_mode():
        again = one.firing.block.apply_attention(attention, *one.inputs)
    difference = (again - one.returned).abs().max().item()
    scale = max(1.0, one.returned.abs().max().item())
    value = difference / scale
    return Check("output", value if value == value else float("inf"), OUTPUT_LIMIT)


def geometry(framing: Framing, grids: Iterable[Grid]) -> Check:
    """Return how far pixels and cells come back from where they were, and wrong cells, added."""
    # Rows and columns are independent: the first of each stand for all cells.
    wrong = sum(
        grid.cell_at(grid.centre(index)) != index
        for grid in dict.fromkeys(grids)
        for index in (*range(grid.columns), *range(0, len(grid), grid.columns))
    )
    return Check("geometry", framing.round_trip_error() + wrong, GEOMETRY_LIMIT)
