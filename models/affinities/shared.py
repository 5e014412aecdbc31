"""One row for all queries, and several affinities side by side as heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from models.affinity import Factors, Normaliser, PairwiseAffinity


@dataclass(frozen=True)
class SharedRowAffinity(PairwiseAffinity):
    """softmax over the keys of one logit a key, the same for every query; memory O(N)."""

    logits: Float[Tensor, "batch head key"]
    queries: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, key = self.logits.shape
        return batch, head, self.queries, key

    def row(self) -> Float[Tensor, "batch head key"]:
        """Return the row."""
        return self.logits.softmax(dim=-1)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        """Return A V, computed once; the queries are a view of it (``distinct``)."""
        once = self.row().unsqueeze(2) @ value
        return once.expand(-1, -1, self.queries, -1)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self.row().unsqueeze(2).expand(-1, -1, len(queries), -1)

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        return weights.sum(dim=3, keepdim=True) * self.row().unsqueeze(2)

    def select(self, item: int) -> SharedRowAffinity:
        return SharedRowAffinity(self.logits[item : item + 1], self.queries)

    def factors(self) -> Factors:
        """Return ones and the logits."""
        batch, head, _ = self.logits.shape
        ones = self.logits.new_ones(batch, head, self.queries, 1)
        return Factors(ones, self.logits.unsqueeze(-1), 1.0, Normaliser.SOFTMAX)


def distinct(
    gathered: Float[Tensor, "batch head query channel"],
) -> Float[Tensor, "batch head some channel"]:
    """Return one query of what all queries share, and everything where they do not.

    What comes after an aggregation that is the same everywhere need only be computed once.
    """
    return gathered[:, :, :1] if gathered.stride(2) == 0 else gathered


@dataclass(frozen=True)
class StackedAffinity(PairwiseAffinity):
    """Affinities of the same places side by side, one after another along the heads."""

    parts: tuple[PairwiseAffinity, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, _, query, key = self.parts[0].shape
        return batch, sum(part.shape[1] for part in self.parts), query, key

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return x.split([part.shape[1] for part in self.parts], dim=1)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        pairs = zip(self.parts, self._split(value), strict=True)
        return torch.cat([part.aggregate(own) for part, own in pairs], dim=1)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return torch.cat([part.rows(queries) for part in self.parts], dim=1)

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        pairs = zip(self.parts, self._split(weights), strict=True)
        return torch.cat([part.push(own) for part, own in pairs], dim=1)

    def select(self, item: int) -> StackedAffinity:
        return StackedAffinity(tuple(part.select(item) for part in self.parts))

    def factors(self) -> Factors:
        """Return the factors of all parts, as heads of one width.

        Raises:
            ValueError: if a part has no factors, or they are not normalised alike.
        """
        found = []
        for part in self.parts:
            make = getattr(part, "factors", None)
            if make is None:
                raise ValueError(f"expected parts with factors, received {type(part).__name__}")
            found.append(make())
        if len({each.normaliser for each in found}) > 1:
            raise ValueError("expected parts that are normalised alike, received several ways")
        width = max(each.key.shape[-1] for each in found)
        query, key = (
            torch.cat([F.pad(each, (0, width - each.shape[-1])) for each in side], dim=1)
            for side in (
                [each.query * each.scale for each in found],
                [each.key for each in found],
            )
        )
        return Factors(query, key, 1.0, found[0].normaliser)
