"""Rows inside the blocks of a grid, which need not be of one size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity, ProductAffinity

Size = tuple[int, int]


def edges(length: int, blocks: int) -> tuple[int, ...]:
    """Return where blocks along a side begin, and where the last ends: it takes the remainder.

    Raises:
        ValueError: if there are more blocks than cells.
    """
    if not 1 <= blocks <= length:
        raise ValueError(f"expected 1 to {length} blocks, received {blocks}")
    return (*(index * (length // blocks) for index in range(blocks)), length)


@dataclass(frozen=True)
class PartitionAffinity(PairwiseAffinity):
    """softmax(scale * query_i . key_j) over the places j in the block of place i; memory O(N d)."""

    query: Float[Tensor, "batch head place dim"]
    key: Float[Tensor, "batch head place dim"]
    size: Size
    """rows and columns of the map"""
    blocks: int
    """blocks along each side"""
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, places, _ = self.query.shape
        return batch, head, places, places

    def _slices(self, index: int, side: int) -> slice:
        ends = edges(self.size[side], self.blocks)
        return slice(ends[index], ends[index + 1])

    def _cut(self, tokens: Tensor, row: int, column: int) -> Tensor:
        maps = tokens.unflatten(2, self.size)
        return maps[:, :, self._slices(row, 0), self._slices(column, 1)].flatten(2, 3)

    def block(self, row: int, column: int) -> ProductAffinity:
        """Return the affinity inside one block, its places row by row."""
        query, key = (self._cut(each, row, column) for each in (self.query, self.key))
        return ProductAffinity(query, key, self.scale)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        bands = []
        for row in range(self.blocks):
            parts = [
                self.block(row, column)
                .aggregate(self._cut(value, row, column))
                .unflatten(2, (-1, self._length(column)))
                for column in range(self.blocks)
            ]
            bands.append(torch.cat(parts, dim=3))
        return torch.cat(bands, dim=2).flatten(2, 3)

    def _length(self, column: int) -> int:
        part = self._slices(column, 1)
        return part.stop - part.start

    def _block_of(self, index: Int[Tensor, " n"], side: int) -> Int[Tensor, " n"]:
        step = self.size[side] // self.blocks
        return (index // step).clamp(max=self.blocks - 1)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        queries = queries.to(self.query.device)
        places = torch.arange(self.query.shape[2], device=queries.device)
        inside = torch.ones(len(queries), len(places), dtype=torch.bool, device=queries.device)
        for side, (own, other) in enumerate(
            ((queries // self.size[1], places // self.size[1]),
             (queries % self.size[1], places % self.size[1]))
        ):  # fmt: skip
            inside &= self._block_of(own, side)[:, None] == self._block_of(other, side)
        logits = self.query[:, :, queries] @ self.key.transpose(-2, -1) * self.scale
        return logits.masked_fill(~inside, float("-inf")).softmax(dim=-1)

    def select(self, item: int) -> PartitionAffinity:
        part = slice(item, item + 1)
        return replace(self, query=self.query[part], key=self.key[part])
