"""What an operation knows of the site that it changes: its block, and which places it weighs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from models.mechanism import AttentionBlock, Kind
from vizattn.geometry import Framing, Grid
from vizattn.measures import One
from vizattn.passes import Firing
from vizattn.placing import grid_of, keys_of
from vizattn.texts import Refused

FAR = 1 << 20
"""cells that something without a place is away from everything"""


class CannotChange(Refused):
    """An operation that this attention has no room for."""


@dataclass(frozen=True)
class Site:
    """Where an operation takes hold.

    Args:
        name: dotted path of the block, with "#n" from its second firing on.
        block: the block whose tap is replaced.
        inputs: what the block was given; its first input is the map that is attended over.
        framing: where the picture is in the network's input; None where there is no picture.
    """

    name: str
    block: AttentionBlock
    inputs: tuple[Tensor, ...]
    framing: Framing | None = None

    def cannot(self, key: str, **values: object) -> CannotChange:
        """Return the refusal of an operation, with a sentence of the area "surgery"."""
        return CannotChange(f"surgery.cannot.{key}", site=self.name, **values)

    def one(self, framing: Framing) -> One:
        """Return the site as what places cells asks for."""
        firing = Firing(self.name, self.block, None, self.inputs, self.inputs[0])
        own = self.block.kind, self.block.claim
        return One(firing, None, self.inputs, self.inputs[0], framing, self.name, *own)

    def grid(self) -> Grid:
        """Return where the cells of the first input are; raises CannotChange without a picture."""
        if self.framing is None:
            raise self.cannot("no_picture")
        return grid_of(self.one(self.framing))

    def own_keys(self, queries: int) -> Int[Tensor, " query"]:
        """Return the key that each query is itself, or is inside of where keys are coarser."""
        if self.block.kind is not Kind.PLACE_AFFINITY:
            return torch.arange(queries)
        inside, _, keys = _grids(self)
        return (inside[:, 0] * keys.columns + inside[:, 1])[:queries]

    def layout(self, items: int) -> Layout | None:
        """Return where the queries and keys of the block's affinity are.

        None where they have no places.

        Args:
            items: how many keys there are.
        """
        make = _LAYOUTS.get(self.block.kind)
        return make(self, items) if make is not None else None


@dataclass(frozen=True)
class Layout:
    """Which cells of a map of keys the items of an affinity stand for.

    Args:
        query: (row, column) of the key cell that each query is in, for each of its bands.
        key: (row, column) of each key, for each of its bands. What is no place is far from all.
    """

    query: Int[Tensor, "query band 2"]
    key: Int[Tensor, "key band 2"]

    def near(self, queries: Int[Tensor, " n"], side: int) -> Bool[Tensor, "n key"]:
        """Return which keys are in the square window of ``side`` cells around some queries."""
        asked = self.query[queries.cpu()]
        inside = torch.zeros(len(asked), len(self.key), dtype=torch.bool)
        for own in range(asked.shape[1]):
            for other in range(self.key.shape[1]):
                apart = (asked[:, None, own] - self.key[None, :, other]).abs()
                inside |= apart.amax(dim=-1) <= side // 2
        return inside


def _cells(grid: Grid) -> Int[Tensor, "cell 2"]:
    rows, columns = torch.arange(grid.rows), torch.arange(grid.columns)
    return torch.cartesian_prod(rows, columns).reshape(-1, 2)


def _grids(site: Site) -> tuple[Int[Tensor, "cell 2"], Grid, Grid]:
    """Return the key cell that each query cell's centre is in, and the two grids."""
    rows, columns = site.inputs[0].shape[2:]
    # Where cells lie among each other does not depend on the picture.
    alone = Framing.letterbox((columns, rows), (columns, rows))
    one = site.one(site.framing or alone)
    queries = grid_of(one)
    keys = keys_of(one, queries)
    lines = [
        _lines(queries.rows, queries.cell[1], queries.origin[1], keys.cell[1], keys.origin[1]),
        _lines(queries.columns, queries.cell[0], queries.origin[0], keys.cell[0], keys.origin[0]),
    ]
    last = torch.tensor([keys.rows, keys.columns]) - 1
    inside = torch.cartesian_prod(*lines).reshape(-1, 2)
    # What is left over at the border when cells are pooled is nearest to the last of them.
    return torch.minimum(inside.clamp(min=0), last), queries, keys


def _lines(
    count: int, cell: float, origin: float, key_cell: float, key_origin: float
) -> Int[Tensor, " line"]:
    centres = origin + (torch.arange(count, dtype=torch.float64) + 0.5) * cell
    return ((centres - key_origin) / key_cell).floor().long()


def _places(site: Site, items: int) -> Layout:
    inside, _, keys = _grids(site)
    bands = site.block.bands()
    query, key = (
        cells.unflatten(0, (bands, -1)).transpose(0, 1) for cells in (inside, _cells(keys))
    )
    return Layout(query, key)


def _channels_at_places(site: Site, items: int) -> Layout:
    # Item c N + i is channel c of a group at place i.
    _, queries, _ = _grids(site)
    own = _cells(queries)
    cells = own.repeat(items // len(own), 1).unsqueeze(1)
    return Layout(cells, cells)


def _tokens(site: Site, items: int) -> Layout | None:
    if site.framing is None:
        return None
    places = _cells(site.grid())
    ahead = items - len(places)
    nowhere = -FAR * (1 + torch.arange(ahead)).reshape(-1, 1).expand(-1, 2)
    cells = torch.cat([nowhere, places]).unsqueeze(1)
    return Layout(cells, cells)


_LAYOUTS: dict[Kind, Callable[[Site, int], Layout | None]] = {
    Kind.PLACE_AFFINITY: _places,
    Kind.TOKEN_AFFINITY: _tokens,
    Kind.CHANNEL_PLACE_AFFINITY: _channels_at_places,
}
