"""Rows inside groups of places: blocks of neighbours, or places a fixed step apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity, ProductAffinity


@dataclass(frozen=True)
class GroupedAffinity(PairwiseAffinity):
    """softmax(scale * query_i . key_j) over the places j that are in the group of place i.

    Groups are of one length and every place is in one of them. Memory O(N d); no more than the
    groups' own matrices, O(N length), are ever built.
    """

    query: Float[Tensor, "batch head place dim"]
    key: Float[Tensor, "batch head place dim"]
    groups: Int[Tensor, "group member"]
    """the places of each group"""
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, places, _ = self.query.shape
        return batch, head, places, places

    def _grouped(self, tokens: Float[Tensor, "batch head place _"]) -> Tensor:
        # Groups stand where heads do, which is how fused kernels like them.
        return tokens[:, :, self.groups].flatten(1, 2)

    def _inside(self) -> ProductAffinity:
        return ProductAffinity(self._grouped(self.query), self._grouped(self.key), self.scale)

    def group_weights(self) -> Float[Tensor, "batch head group member key"]:
        """Return the matrix of every group."""
        inside = self._inside().dense()
        return inside.unflatten(1, (self.query.shape[1], len(self.groups)))

    def _placed(self, grouped: Tensor) -> Tensor:
        heads, order = self.query.shape[1], self.groups.flatten().argsort()
        return grouped.unflatten(1, (heads, len(self.groups))).flatten(2, 3)[:, :, order]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self._placed(self._inside().aggregate(self._grouped(value)))

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        queries = queries.to(self.query.device)
        member = self.groups.shape[1]
        group = self.groups.flatten().argsort()[queries] // member
        keys = self.groups[group]
        logits = torch.einsum("bmnd,bmnkd->bmnk", self.query[:, :, queries], self.key[:, :, keys])
        weights = (logits * self.scale).softmax(dim=-1)
        placed = weights.new_zeros(*weights.shape[:3], self.key.shape[2])
        return placed.scatter(3, keys.expand(weights.shape), weights)

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        grouped = weights[..., self.groups]
        pushed = torch.einsum("bmngq,bmgqk->bmngk", grouped, self.group_weights())
        return pushed.flatten(3)[..., self.groups.flatten().argsort()]

    def select(self, item: int) -> GroupedAffinity:
        part = slice(item, item + 1)
        return GroupedAffinity(self.query[part], self.key[part], self.groups, self.scale)
