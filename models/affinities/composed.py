"""One attention after another: whom a place hears of through whom it listens to."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from models.affinity import PairwiseAffinity


@dataclass(frozen=True)
class ComposedAffinity(PairwiseAffinity):
    """A = second first, the reach of two passes; held as both, memory that of both.

    A row is the second pass's row carried through the rows of the first.
    """

    first: PairwiseAffinity
    second: PairwiseAffinity

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query, _ = self.second.shape
        return batch, head, query, self.first.shape[3]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.second.aggregate(self.first.aggregate(value))

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self.first.push(self.second.rows(queries))

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        return self.first.push(self.second.push(weights))

    def select(self, item: int) -> ComposedAffinity:
        return ComposedAffinity(self.first.select(item), self.second.select(item))
