"""Everything that one pass through a network held of one picture, with what was measured of it.

Besides each block's own attention: the steps on the way to it, the rows that follow from it, and
what comes of several passes one after another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import nn

from models.affinities.composed import ComposedAffinity
from models.affinities.rollout import RolloutAffinity
from models.affinity import PairwiseAffinity
from models.mechanism import Claim
from models.structure import Passes
from vizattn.attention import Captured, Maps, PlaceAffinity
from vizattn.features import Table
from vizattn.geometry import Framing
from vizattn.measures import (
    CLAIM_LIMIT,
    GEOMETRY_LIMIT,
    MOST_WEIGHTS,
    OUTPUT_LIMIT,
    One,
    checks_of,
    further,
    geometry,
    one_of,
    rows_claim,
)
from vizattn.passes import Firing, structure
from vizattn.placing import grid_of, keys_of
from vizattn.readings import maps_of, placed_rows, read

__all__ = ["CLAIM_LIMIT", "GEOMETRY_LIMIT", "MOST_WEIGHTS", "OUTPUT_LIMIT", "captured", "sites_of"]

COMPOSED, ROLLOUT = "#composed", "#rollout"
"""what the sites of several passes end in"""
_SOME = 256
"""rows of several passes together that are measured, evenly spread: each goes through all"""


@torch.inference_mode()
def captured(firing: Firing, item: int, framing: Framing) -> Captured:
    """Return one picture's attention at one block, with its checks measured.

    Args:
        firing: what the block did for a batch.
        item: which picture of the batch.
        framing: where that picture is in the model's input.

    Raises:
        ValueError: if nothing here reads the block's kind.
    """
    one = one_of(firing, item, framing)
    return _read(one, _implied_alone(one))


@torch.inference_mode()
def sites_of(
    network: nn.Module, firings: Sequence[Firing], item: int, framing: Framing
) -> tuple[Captured, ...]:
    """Return one picture's attention everywhere in a network, in the order in which it was used.

    The steps on the way to a block's attention come after the block, what comes of several passes
    after the last of them.

    Args:
        network: the network.
        firings: what its blocks did for a batch.
        item: which picture of the batch.
        framing: where that picture is in the model's input.

    Raises:
        ValueError: if nothing here reads the kind of a block or of a step.
    """
    declared = structure(network)
    ones = {one.site: one for one in (one_of(firing, item, framing) for firing in firings)}
    sites: list[Captured] = []
    for one in ones.values():
        sites += [_read(one, _implied(network, one, ones)), *_steps(one, item)]
        sites += [
            _together(path, passes, ones)
            for path, passes in declared.passes.items()
            if _last(passes) == one.site and all(name in ones for name in _names(passes))
        ]
    return tuple(sites)


@dataclass(frozen=True)
class _Implied:
    """Rows that follow from attention of another kind, what they promise, and a note on them."""

    rows: PairwiseAffinity
    claim: Claim
    note: str | None


def _implied(network: nn.Module, one: One, ones: Mapping[str, One]) -> _Implied | None:
    """Return the rows that follow from a block's attention, alone or with that of others."""
    for path, names in structure(network).implied.items():
        if names[0] == one.site and all(name in ones for name in names):
            module: Any = network.get_submodule(path)
            rows = module.implied_rows(*(ones[name].attention for name in names))
            return _Implied(rows, module.implied_claim, module.note)
    return _implied_alone(one)


def _implied_alone(one: One) -> _Implied | None:
    block = one.firing.block
    rows = block.implied_rows(one.attention, *one.inputs)
    return None if rows is None else _Implied(rows, block.implied_claim, block.note)


def _read(one: One, implied: _Implied | None) -> Captured:
    maps = maps_of(one)
    if implied is None or maps is None:
        return read(one)
    claim, output, located = checks_of(one, (maps.grid,))
    checks = (rows_claim(implied.rows, implied.claim), replace(claim, name="maps"), output, located)
    grid = maps.grid
    said = {"claim": implied.claim, "note": implied.note, "maps": maps}
    return placed_rows(one, implied.rows, grid, grid, checks, **said)


def _steps(one: One, item: int) -> Iterator[Captured]:
    """Give the steps on the way to a block's attention; tables of nodes with the nodes' maps."""
    steps = [further(one, heard, item) for heard in one.firing.taps]
    found = [maps for maps in map(maps_of, (one, *steps)) if maps is not None]
    for step in steps:
        captured = read(step)
        yield _with_maps(captured, found) if isinstance(captured, Table) else captured


def _with_maps(table: Table, found: Sequence[Maps]) -> Table:
    rows, columns = (
        next((maps for maps in found if axis == "node" and len(maps.values) == count), None)
        for axis, count in zip((table.row_axis, table.column_axis), table.shape, strict=True)
    )
    return replace(table, row_maps=rows, column_maps=columns)


def _names(passes: Passes) -> tuple[str, ...]:
    """Return the sites of passes as they were captured: what fired n times before is "#n + 1"."""
    parts = (name.partition("#") for name in passes.sites)
    return tuple(f"{path}#{int(before) + 1}" if before else path for path, _, before in parts)


def _last(passes: Passes) -> str:
    return _names(passes)[-1]


def _together(path: str, passes: Passes, ones: Mapping[str, One]) -> PlaceAffinity:
    """Return what the last of several passes hears of the first."""
    several = [ones[name] for name in _names(passes)]
    layers: list[PairwiseAffinity] = [one.attention for one in several]
    if passes.shortcuts:
        affinity: PairwiseAffinity = RolloutAffinity(tuple(layers))
        ending, note = ROLLOUT, "rollout"
    else:
        affinity = reduce(ComposedAffinity, layers)
        ending, note = COMPOSED, "composed"
    last = several[-1]
    claims = {one.claim for one in several}
    claim = claims.pop() if len(claims) == 1 else Claim.SIGNED
    queries = grid_of(last)
    keys = keys_of(several[0], grid_of(several[0]))
    checks = (rows_claim(affinity, claim, _SOME), geometry(last.framing, (queries, keys)))
    said = {"claim": claim, "note": note, "site": f"{path}{ending}"}
    return placed_rows(last, affinity, queries, keys, checks, **said)
