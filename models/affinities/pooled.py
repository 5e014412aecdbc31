"""Rows over anchors, each the mean of a cell of a coarse grid, spread over the cell's places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.affinity import PairwiseAffinity


def pyramid(
    x: Float[Tensor, "batch channel row column"], sides: tuple[int, ...]
) -> Float[Tensor, "batch channel anchor"]:
    """Return the means over the cells of grids of several sides, one grid after another."""
    return torch.cat([F.adaptive_avg_pool2d(x, side).flatten(2) for side in sides], dim=2)


def _shares(cells: int, places: int, like: Tensor) -> Float[Tensor, "cell place"]:
    """Return how much each of the places along one side counts in each cell's mean."""
    index = torch.arange(places, device=like.device)
    shares = [
        ((index >= cell * places // cells) & (index < -(-(cell + 1) * places // cells))).to(like)
        for cell in range(cells)
    ]
    stacked = torch.stack(shares)
    return stacked / stacked.sum(dim=1, keepdim=True)


@dataclass(frozen=True)
class PooledAffinity(PairwiseAffinity):
    """A = B P: weights B over anchors, and P, which makes each anchor a mean over its cell.

    Cells of one grid may overlap by a row or a column, as those of adaptive pooling do. Memory
    is that of B.
    """

    anchors: PairwiseAffinity
    sides: tuple[int, ...]
    """cells along each side of the grids, in the order of the anchors"""
    size: tuple[int, int]
    """rows and columns of the map that is pooled"""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query, _ = self.anchors.shape
        return batch, head, query, self.size[0] * self.size[1]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        maps = value.transpose(2, 3).flatten(0, 1).unflatten(2, self.size)
        pooled = pyramid(maps, self.sides).unflatten(0, value.shape[:2])
        return self.anchors.aggregate(pooled.transpose(2, 3))

    def _spread(
        self, weights: Float[Tensor, "batch head n anchor"]
    ) -> Float[Tensor, "batch head n key"]:
        total = weights.new_zeros(*weights.shape[:3], *self.size)
        grids = weights.split([side * side for side in self.sides], dim=3)
        for side, grid in zip(self.sides, grids, strict=True):
            down, across = (_shares(side, length, weights) for length in self.size)
            total = total + down.T @ grid.unflatten(3, (side, side)) @ across
        return total.flatten(3)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self._spread(self.anchors.rows(queries))

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        return self._spread(self.anchors.push(weights))

    def select(self, item: int) -> PooledAffinity:
        return PooledAffinity(self.anchors.select(item), self.sides, self.size)
