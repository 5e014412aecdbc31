"""Pairwise attention as factors: aggregate values and read single rows in linear memory.

Every class here answers the same three questions about an affinity A (batch, head, query, key):
what A V is (``aggregate``), what some rows of A are (``rows``), and how a browser or another
program can compute a row itself (``factors``). Only ``dense`` builds the whole matrix, and only
tests and ``verify`` call it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

_ROWS_AT_ONCE = 256


class Normaliser(Enum):
    """What turns the logits of a row into its weights."""

    SOFTMAX = "softmax"
    """softmax over the keys: weights are positive and sum to 1."""
    MEAN = "mean"
    """division by the number of keys: weights are signed (Wang et al. 2018, dot product)."""
    RELU_MEAN = "relu_mean"
    """ReLU, then division by the number of keys (Wang et al. 2018, eq. 5, concatenation)."""

    def apply(self, logits: Float[Tensor, "*rows key"]) -> Float[Tensor, "*rows key"]:
        """Return the weights of whole rows of logits."""
        if self is Normaliser.SOFTMAX:
            return logits.softmax(dim=-1)
        kept = logits.relu() if self is Normaliser.RELU_MEAN else logits
        return kept / logits.shape[-1]


@dataclass(frozen=True)
class Factors:
    """What it takes to compute any row: ``normaliser(scale * query_i . key_j)``."""

    query: Float[Tensor, "batch head query dim"]
    key: Float[Tensor, "batch head key dim"]
    scale: float
    normaliser: Normaliser


class PairwiseAffinity(ABC):
    """Weights of every query over every key, held in a form whose memory is stated by its class."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int, int]:
        """Return (batch, head, query, key) of the matrix that is not built."""

    @abstractmethod
    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        """Return A V."""

    @abstractmethod
    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        """Return the rows of A for some query indices, exactly."""

    @abstractmethod
    def select(self, item: int) -> PairwiseAffinity:
        """Return the affinity of one picture of the batch (a batch of one)."""

    def push(
        self, weights: Float[Tensor, "batch head n query"]
    ) -> Float[Tensor, "batch head n key"]:
        """Return weights A: what reaches the keys of what some mixtures of queries listen to."""
        blocks = torch.arange(self.shape[2]).split(_ROWS_AT_ONCE)
        parts = (weights[..., block.to(weights.device)] @ self.rows(block) for block in blocks)
        return sum(parts, start=weights.new_zeros(()))

    def dense(self) -> Float[Tensor, "batch head query key"]:
        """Return the whole matrix; memory grows with query x key."""
        return self.rows(torch.arange(self.shape[2]))

    def by_rows(self) -> PairwiseAffinity:
        """Return the same affinity, aggregated through its explicit rows: the slow, plain way."""
        return RowwiseAffinity(self)


@dataclass(frozen=True)
class ProductAffinity(PairwiseAffinity):
    """normaliser(scale * Q K^T), held as Q and K; memory O(N d)."""

    query: Float[Tensor, "batch head query dim"]
    key: Float[Tensor, "batch head key dim"]
    scale: float = 1.0
    normaliser: Normaliser = Normaliser.SOFTMAX

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query, _ = self.query.shape
        return batch, head, query, self.key.shape[2]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        if self.normaliser is Normaliser.SOFTMAX:
            return _fused_softmax_attention(self.query, self.key, value, self.scale)
        if self.normaliser is Normaliser.MEAN:
            # (Q K^T) V = Q (K^T V): associativity replaces the N x N matrix by a d x C one.
            context = self.key.transpose(-2, -1) @ value
            return self.query @ context * (self.scale / self.key.shape[2])
        return self.by_rows().aggregate(value)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        picked = self.query[:, :, queries.to(self.query.device)]
        return self.normaliser.apply(picked @ self.key.transpose(-2, -1) * self.scale)

    def select(self, item: int) -> ProductAffinity:
        return replace(self, query=self.query[item : item + 1], key=self.key[item : item + 1])

    def factors(self) -> Factors:
        """Return what a browser needs to compute any row."""
        return Factors(self.query, self.key, self.scale, self.normaliser)


@dataclass(frozen=True)
class ConcatenationAffinity(PairwiseAffinity):
    """ReLU(u_i + v_j) / N, held as the two terms u and v; memory O(N)."""

    query_term: Float[Tensor, "batch head query"]
    key_term: Float[Tensor, "batch head key"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query = self.query_term.shape
        return batch, head, query, self.key_term.shape[2]

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        """Return A V in O(N log N + N C).

        The ReLU keeps the keys with v_j > -u_i. With keys sorted by v these are a prefix, so
        sum_j (u_i + v_j) g_j over them is u_i times a running sum of g plus a running sum of v g.
        """
        # Running sums over many keys cancel badly in float32, hence float64 inside.
        key_term, order = self.key_term.double().sort(dim=-1, descending=True)
        ordered = value.double().gather(2, order.unsqueeze(-1).expand_as(value))
        sum_value = F.pad(ordered.cumsum(2), (0, 0, 1, 0))
        sum_weighted = F.pad((ordered * key_term.unsqueeze(-1)).cumsum(2), (0, 0, 1, 0))
        query_term = self.query_term.double()
        kept = torch.searchsorted((-key_term).contiguous(), query_term.contiguous())
        index = kept.unsqueeze(-1).expand(*kept.shape, value.shape[-1])
        total = query_term.unsqueeze(-1) * sum_value.gather(2, index)
        total = total + sum_weighted.gather(2, index)
        return (total / self.key_term.shape[2]).to(value.dtype)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        picked = self.query_term[:, :, queries.to(self.query_term.device)]
        logits = picked.unsqueeze(-1) + self.key_term.unsqueeze(-2)
        return Normaliser.RELU_MEAN.apply(logits)

    def select(self, item: int) -> ConcatenationAffinity:
        return ConcatenationAffinity(
            self.query_term[item : item + 1], self.key_term[item : item + 1]
        )

    def factors(self) -> Factors:
        """Return u_i + v_j written as the product [u_i, 1] . [1, v_j]."""
        query = torch.stack([self.query_term, torch.ones_like(self.query_term)], dim=-1)
        key = torch.stack([torch.ones_like(self.key_term), self.key_term], dim=-1)
        return Factors(query, key, 1.0, Normaliser.RELU_MEAN)


@dataclass(frozen=True)
class DenseAffinity(PairwiseAffinity):
    """A stored matrix, for small N (channels) and for affinities that somebody paints."""

    weights: Float[Tensor, "batch head query key"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, head, query, key = self.weights.shape
        return batch, head, query, key

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.weights @ value

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self.weights[:, :, queries.to(self.weights.device)]

    def select(self, item: int) -> DenseAffinity:
        return DenseAffinity(self.weights[item : item + 1])


@dataclass(frozen=True)
class RowwiseAffinity(PairwiseAffinity):
    """Another affinity whose values are aggregated through the rows that people are shown.

    It shares no code with the fused operator, so putting it in the place of the captured
    attention checks that those rows are what the network used.
    """

    of: PairwiseAffinity

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.of.shape

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        blocks = torch.arange(self.shape[2]).split(_ROWS_AT_ONCE)
        return torch.cat([self.of.rows(block) @ value for block in blocks], dim=2)

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return self.of.rows(queries)

    def select(self, item: int) -> RowwiseAffinity:
        return RowwiseAffinity(self.of.select(item))


def _fused_softmax_attention(
    query: Float[Tensor, "batch head query dim"],
    key: Float[Tensor, "batch head key dim"],
    value: Float[Tensor, "batch head key channel"],
    scale: float,
) -> Float[Tensor, "batch head query channel"]:
    # The fused kernels want one width for queries, keys and values and fall back to the
    # N x N matrix otherwise; zeros add nothing to a dot product.
    channels, dim = value.shape[-1], query.shape[-1]
    width = max(channels, dim)
    query, key = (F.pad(t, (0, width - dim)) for t in (query, key))
    padded = F.pad(value, (0, width - channels))
    out = F.scaled_dot_product_attention(
        query.contiguous(), key.contiguous(), padded.contiguous(), scale=scale
    )
    return out[..., :channels]
