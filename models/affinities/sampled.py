"""Rows over a few points of the map, which may lie between its cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.affinity import PairwiseAffinity

Size = tuple[int, int]


def sampled(
    x: Float[Tensor, "batch channel row column"],
    points: Float[Tensor, "batch point query 2"],
) -> Iterator[Float[Tensor, "batch channel query"]]:
    """Give, point by point, what queries find there: a mean of four cells, 0 beyond the border.

    Args:
        x: the map.
        points: row and column of every point, in cells; the middle of the first cell is 0, 0.
    """
    rows, columns = x.shape[2:]
    scale = points.new_tensor([2 / columns, 2 / rows])
    for grid in points.flip(-1).unbind(1):
        # Measured between the outer edges of the map, so that a map of one cell is no exception.
        spread = ((grid + 0.5) * scale - 1).unsqueeze(2)
        yield F.grid_sample(x, spread, padding_mode="zeros", align_corners=False).squeeze(3)


@dataclass(frozen=True)
class SampledAffinity(PairwiseAffinity):
    """Weights over a few points for each query; memory O(N points).

    A point between cells listens to the four around it, by how near it is to each; what lies
    beyond the border is lost.
    """

    weights: Float[Tensor, "batch head point query"]
    points: Float[Tensor, "batch point query 2"]
    """row and column of each point, in cells; the same for all heads"""
    size: Size
    """rows and columns of the map"""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, _, query = self.weights.shape
        return batch, head, query, self.size[0] * self.size[1]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        heads = value.shape[:2]
        maps = value.transpose(2, 3).flatten(1, 2).unflatten(2, self.size)
        gathered = value.new_zeros(*heads, value.shape[3], self.weights.shape[3])
        for index, found in enumerate(sampled(maps, self.points)):
            found = found.unflatten(1, (heads[1], -1))
            gathered = torch.addcmul(gathered, self.weights[:, :, index].unsqueeze(2), found)
        return gathered.transpose(2, 3)

    def corners(
        self,
    ) -> Iterator[tuple[Int[Tensor, "batch point n"], Float[Tensor, "batch point n"]]]:
        """Give each of the four cells around all points and how near it is.

        What is outside has the number of keys as its index.
        """
        return self._corners(self.points)

    def _corners(
        self, points: Float[Tensor, "batch point n 2"]
    ) -> Iterator[tuple[Int[Tensor, "batch point n"], Float[Tensor, "batch point n"]]]:
        """Give each of the four cells around points and how near it is; outside has index keys."""
        rows, columns = self.size
        for down in (0, 1):
            for right in (0, 1):
                cell = points.floor() + points.new_tensor([down, right])
                near = (1 - (points - cell).abs()).prod(dim=-1)
                row, column = cell.unbind(-1)
                inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
                index = torch.where(inside, row * columns + column, rows * columns)
                yield index.long(), near

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        queries = queries.to(self.weights.device)
        weights = self.weights[..., queries]
        batch, head, _, keys = self.shape
        placed = weights.new_zeros(batch, head, len(queries), keys + 1)
        for index, near in self._corners(self.points[:, :, queries]):
            shared = (weights * near.unsqueeze(1)).transpose(2, 3)
            where = index.unsqueeze(1).transpose(2, 3).expand(shared.shape)
            placed = placed.scatter_add(3, where, shared)
        return placed[..., :keys]

    def select(self, item: int) -> SampledAffinity:
        part = slice(item, item + 1)
        return replace(self, weights=self.weights[part], points=self.points[part])
