"""Rows through a few bases, nodes or regions: a product of two thin matrices."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import Factors, Normaliser, PairwiseAffinity


@dataclass(frozen=True)
class LowRankAffinity(PairwiseAffinity):
    """A = S G^T: key places give to bases with G, query places take from them with S.

    Nothing is normalised here: what the weights promise follows from S and G. Memory O(N rank).
    """

    take: Float[Tensor, "batch head query rank"]
    give: Float[Tensor, "batch head key rank"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query, _ = self.take.shape
        return batch, head, query, self.give.shape[2]

    def gathered(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head rank channel"]:
        """Return G^T V, what every basis holds."""
        return self.give.transpose(-2, -1) @ value

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.take @ self.gathered(value)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self.take[:, :, queries.to(self.take.device)] @ self.give.transpose(-2, -1)

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        return weights @ self.take @ self.give.transpose(-2, -1)

    def select(self, item: int) -> LowRankAffinity:
        part = slice(item, item + 1)
        return LowRankAffinity(self.take[part], self.give[part])

    def factors(self) -> Factors:
        """Return S and G; the scale takes back that the mean divides by the number of keys."""
        return Factors(self.take, self.give, float(self.give.shape[2]), Normaliser.MEAN)
