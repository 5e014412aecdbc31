"""What an operation knows of the site that it changes: its block, and which places it weighs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from models.mechanism import AttentionBlock, Kind
from vizattn.geometry import Framing, Grid
from vizattn.texts import Refused


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

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the first input."""
        return tuple(self.inputs[0].shape)

    def cannot(self, key: str, **values: object) -> CannotChange:
        """Return the refusal of an operation, with a sentence of the area "surgery"."""
        return CannotChange(f"surgery.cannot.{key}", site=self.name, **values)

    def grid(self) -> Grid:
        """Return where the cells of the first input are in the model's input.

        Raises:
            CannotChange: if there is no picture, or the input is no map.
        """
        if self.framing is None or len(self.shape) != 4:
            raise self.cannot("no_picture")
        rows, columns = self.shape[2:]
        stride = self.block.stride
        if stride is not None:
            return Grid(rows, columns, (stride, stride))
        width, height = self.framing.input
        return Grid(rows, columns, (width / columns, height / rows))

    def own_keys(self, queries: int) -> Int[Tensor, " query"]:
        """Return the key that each query is itself, or is inside of where keys are coarser."""
        if self.block.kind is not Kind.PLACE_AFFINITY:
            return torch.arange(queries)
        rows, columns = _key_grid(self)
        inside = _inside(self, rows, columns)
        return (inside[:, 0] * columns + inside[:, 1])[:queries]

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


def _cells(rows: int, columns: int) -> Int[Tensor, "cell 2"]:
    return torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).reshape(-1, 2)


def _key_grid(site: Site) -> tuple[int, int]:
    rows, columns = site.shape[2:]
    return site.block.key_grid(rows, columns)


def _inside(site: Site, rows: int, columns: int) -> Int[Tensor, "cell 2"]:
    """Return the key cell that each cell of the queries' map is in."""
    size, keys, cells = site.shape[2:], torch.tensor([rows, columns]), site.block.key_cells()
    own = _cells(*size)
    if cells > 1:
        # What is left over at the border when cells are pooled is nearest to the last of them.
        return torch.minimum(own // cells, keys - 1)
    return own * keys // torch.tensor(size)


def _places(site: Site, items: int) -> Layout:
    rows, columns = _key_grid(site)
    bands = site.block.bands()
    query, key = (
        cells.unflatten(0, (bands, -1)).transpose(0, 1)
        for cells in (_inside(site, rows, columns), _cells(rows, columns))
    )
    return Layout(query, key)


def _channels_at_places(site: Site, items: int) -> Layout:
    # Item c N + i is channel c of a group at place i.
    own = _cells(*site.shape[2:])
    cells = own.repeat(items // len(own), 1).unsqueeze(1)
    return Layout(cells, cells)


FAR = 1 << 20
"""cells that something without a place is away from everything"""


def _tokens(site: Site, items: int) -> Layout | None:
    stride, framing = site.block.stride, site.framing
    if stride is None or framing is None:
        return None
    columns, rows = (-(-side // stride) for side in framing.input)
    ahead = items - rows * columns
    if ahead < 0:
        return None
    nowhere = -FAR * (1 + torch.arange(ahead)).reshape(-1, 1).expand(-1, 2)
    cells = torch.cat([nowhere, _cells(rows, columns)]).unsqueeze(1)
    return Layout(cells, cells)


_LAYOUTS: dict[Kind, Callable[[Site, int], Layout | None]] = {
    Kind.PLACE_AFFINITY: _places,
    Kind.TOKEN_AFFINITY: _tokens,
    Kind.CHANNEL_PLACE_AFFINITY: _channels_at_places,
}
