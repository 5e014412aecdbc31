"""Rows over a window around each place, held as one weight for each cell of the window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.affinity import PairwiseAffinity

Size = tuple[int, int]
"""rows and columns"""


@dataclass(frozen=True)
class Window:
    """Which keys stand around a query.

    Args:
        kernel: rows and columns of the window.
        before: cells, along each side, from the window's first to the one the query is in.
        dilation: cells from one entry of the window to the next.
        reflect: what is beyond the border is the picture mirrored at its outer cells; without it
            there is nothing there.
        factor: query cells along each side of one key cell.
    """

    kernel: Size
    before: Size
    dilation: int = 1
    reflect: bool = False
    factor: int = 1

    @classmethod
    def centred(
        cls, kernel: int | Size, dilation: int = 1, reflect: bool = False, factor: int = 1
    ) -> Window:
        """Return a window with the query in its middle.

        Raises:
            ValueError: if a side is even and so has no middle, or a number is not positive.
        """
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        if any(side < 1 or side % 2 == 0 for side in sides) or dilation < 1 or factor < 1:
            raise ValueError(
                "expected an odd window, a dilation and a factor of at least 1, "
                f"received {sides}, {dilation} and {factor}"
            )
        before = (sides[0] // 2 * dilation, sides[1] // 2 * dilation)
        return cls(sides, before, dilation, reflect, factor)

    @property
    def entries(self) -> int:
        """Return how many cells the window has."""
        return self.kernel[0] * self.kernel[1]

    def offsets(self) -> list[Size]:
        """Return rows down and columns to the right of every entry, row by row."""
        rows, columns = (
            [entry * self.dilation - before for entry in range(side)]
            for side, before in zip(self.kernel, self.before, strict=True)
        )
        return [(row, column) for row in rows for column in columns]

    def _padded(self, x: Float[Tensor, "*batch row column"]) -> Tensor:
        (top, left), reach = self.before, [(side - 1) * self.dilation for side in self.kernel]
        sides = (left, reach[1] - left, top, reach[0] - top)
        if not self.reflect:
            return F.pad(x, sides)
        return F.pad(x.flatten(0, -4), sides, mode="reflect").unflatten(0, x.shape[:-3])

    def seen(
        self, x: Float[Tensor, "*batch channel row column"], queries: Size
    ) -> Iterator[Float[Tensor, "*batch channel _ _"]]:
        """Give, for every entry of the window, the map that queries see there (0 beyond borders).

        With a factor of 1 these are views of one padded map.
        """
        padded = self._padded(x)
        starts = [torch.arange(n, device=x.device) // self.factor for n in queries]
        for index in range(self.entries):
            down, across = (n * self.dilation for n in divmod(index, self.kernel[1]))
            if self.factor == 1:
                yield padded[..., down : down + queries[0], across : across + queries[1]]
            else:
                lines = padded.index_select(-2, starts[0] + down)
                yield lines.index_select(-1, starts[1] + across)

    def _line(self, axis: int, queries: int, keys: int) -> Int[Tensor, "entry query"]:
        first = torch.arange(queries) // self.factor - self.before[axis]
        index = first + torch.arange(self.kernel[axis])[:, None] * self.dilation
        if self.reflect:
            index = index.abs()
            return torch.where(index < keys, index, 2 * (keys - 1) - index)
        return torch.where((index >= 0) & (index < keys), index, -1)

    def keys(self, queries: Size, keys: Size) -> Int[Tensor, "entry query"]:
        """Return which key each entry of each query's window is; -1 beyond the border."""
        rows, columns = (self._line(axis, queries[axis], keys[axis]) for axis in (0, 1))
        rows, columns = rows[:, None, :, None], columns[None, :, None, :]
        index = torch.where((rows >= 0) & (columns >= 0), rows * keys[1] + columns, -1)
        return index.flatten(2).flatten(0, 1)


@dataclass(frozen=True)
class WindowAffinity(PairwiseAffinity):
    """Weights over a window around each query; memory O(N window).

    What a query gives to cells beyond the border is lost: its row then sums to less. ``rest`` is
    a weight that every key outside a query's window has, 0 without it.
    """

    weights: Float[Tensor, "batch head entry query"]
    window: Window
    queries: Size
    """rows and columns of the queries' map"""
    keys: Size
    """rows and columns of the keys' map"""
    rest: Float[Tensor, "batch head query"] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, _, query = self.weights.shape
        return batch, head, query, self.keys[0] * self.keys[1]

    def _above_rest(self) -> Float[Tensor, "batch head entry query"]:
        return self.weights if self.rest is None else self.weights - self.rest.unsqueeze(2)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        maps = value.transpose(2, 3).unflatten(3, self.keys)
        weights = self._above_rest().unflatten(3, self.queries).unsqueeze(3)
        gathered = value.new_zeros(*maps.shape[:3], *self.queries)
        for entry, seen in enumerate(self.window.seen(maps, self.queries)):
            gathered = torch.addcmul(gathered, weights[:, :, entry], seen)
        tokens = gathered.flatten(3).transpose(2, 3)
        if self.rest is None:
            return tokens
        return tokens + self.rest.unsqueeze(3) * value.sum(dim=2, keepdim=True)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        queries, device = queries.to(self.weights.device), self.weights.device
        weights = self._above_rest()[..., queries].transpose(2, 3)
        batch, head, _, keys = self.shape
        index = self.window.keys(self.queries, self.keys).to(device)[:, queries].T
        # One more key takes what is given beyond the border.
        index = torch.where(index < 0, keys, index).expand(weights.shape)
        placed = weights.new_zeros(batch, head, len(queries), keys + 1)
        placed = placed.scatter_add(3, index, weights)[..., :keys]
        return placed if self.rest is None else placed + self.rest[..., queries].unsqueeze(3)

    def select(self, item: int) -> WindowAffinity:
        part = slice(item, item + 1)
        rest = None if self.rest is None else self.rest[part]
        return replace(self, weights=self.weights[part], rest=rest)
