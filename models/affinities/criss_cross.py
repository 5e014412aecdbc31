"""Rows over the column and the row that a place is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity


@dataclass(frozen=True)
class CrissCrossAffinity(PairwiseAffinity):
    """softmax of query_i . key_j over the rows + columns - 1 places j in line with place i.

    Held as queries and keys, memory O(N d); weights are made when needed, O(N (rows + columns)).
    """

    query: Float[Tensor, "batch head place dim"]
    key: Float[Tensor, "batch head place dim"]
    size: tuple[int, int]
    """rows and columns of the map"""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, places, _ = self.query.shape
        return batch, head, places, places

    def _map(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, self.size)

    def weights(
        self,
    ) -> tuple[Float[Tensor, "batch head row column h"], Float[Tensor, "batch head row column w"]]:
        """Return every place's weights on the places of its column, and on those of its row.

        The place itself is in both; its weight is with its row, and 0 in its column.
        """
        query, key = self._map(self.query), self._map(self.key)
        down = torch.einsum("bmhwd,bmgwd->bmhwg", query, key)
        itself = torch.eye(self.size[0], dtype=torch.bool, device=down.device)
        down = down.masked_fill(itself[:, None, :], float("-inf"))
        across = torch.einsum("bmhwd,bmhvd->bmhwv", query, key)
        joint = torch.cat([down, across], dim=-1).softmax(dim=-1)
        return joint[..., : self.size[0]], joint[..., self.size[0] :]

    def joint(self) -> Float[Tensor, "batch head row column line"]:
        """Return all weights of a place: those on its column, then those on its row."""
        return torch.cat(self.weights(), dim=-1)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        column, row = self.weights()
        values = self._map(value)
        gathered = torch.einsum("bmhwg,bmgwc->bmhwc", column, values)
        return (gathered + torch.einsum("bmhwv,bmhvc->bmhwc", row, values)).flatten(2, 3)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        rows, columns = self.size
        queries = queries.to(self.query.device)
        row, column = queries // columns, queries % columns
        picked, keys = self.query[:, :, queries], self._map(self.key)
        down = torch.einsum("bmnd,bmhnd->bmnh", picked, keys[:, :, :, column])
        each = torch.arange(len(queries), device=down.device)
        down = down.index_put(
            (
                torch.arange(down.shape[0], device=down.device)[:, None, None],
                torch.arange(down.shape[1], device=down.device)[:, None],
                each,
                row,
            ),
            down.new_tensor(float("-inf")),
        )
        across = torch.einsum("bmnd,bmnwd->bmnw", picked, keys[:, :, row])
        joint = torch.cat([down, across], dim=-1).softmax(dim=-1)
        placed = joint.new_zeros(*joint.shape[:3], rows, columns)
        placed[:, :, each, :, column] = joint[..., :rows].permute(2, 0, 1, 3)
        # The column's weight on the place itself is 0, so the row may overwrite it.
        placed[:, :, each, row] = joint[..., rows:]
        return placed.flatten(3)

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        column, row = self.weights()
        given = weights.unflatten(3, self.size)
        pushed = torch.einsum("bmnhw,bmhwg->bmngw", given, column)
        return (pushed + torch.einsum("bmnhw,bmhwv->bmnhv", given, row)).flatten(3)

    def select(self, item: int) -> CrissCrossAffinity:
        part = slice(item, item + 1)
        return CrissCrossAffinity(self.query[part], self.key[part], self.size)
