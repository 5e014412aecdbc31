"""Whom a token hears through all layers, each of which adds what is heard to what was there."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.affinity import PairwiseAffinity


@dataclass(frozen=True)
class RolloutAffinity(PairwiseAffinity):
    """Product over layers of (mean over heads of A + I) / 2, the later ones from the left.

    Held as the layers; a row goes through all of them, and no matrix is built (Abnar and Zuidema,
    "Quantifying Attention Flow in Transformers", 2020, section 3).
    """

    layers: tuple[PairwiseAffinity, ...]
    """the affinities of all layers, the first one first"""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, _, query, key = self.layers[-1].shape
        return batch, 1, query, key

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.by_rows().aggregate(value)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        batch, _, tokens, _ = self.layers[-1].shape
        row = F.one_hot(queries, tokens).to(self.layers[-1].rows(queries[:1]))
        return self.push(row.expand(batch, 1, -1, -1))

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        mass = weights.sum(dim=3, keepdim=True)
        for affinity in reversed(self.layers):
            several = weights.expand(-1, affinity.shape[1], -1, -1)
            weights = (affinity.push(several).mean(dim=1, keepdim=True) + weights) / 2
            # What rounding took away is given back, layer by layer.
            total = weights.sum(dim=3, keepdim=True)
            weights = weights / total.where(total != 0, 1) * mass
        return weights

    def select(self, item: int) -> RolloutAffinity:
        return RolloutAffinity(tuple(each.select(item) for each in self.layers))
