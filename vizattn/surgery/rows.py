"""Affinities that stand in for another one: each row changed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinities.forms import ComposedForm, Form, ProductForm, SparseForm, form_of
from models.affinity import PairwiseAffinity, RowwiseAffinity

Rows = Float[Tensor, "batch head n key"]
Queries = Int[Tensor, " n"]
Values = Float[Tensor, "batch head key channel"]
Gathered = Float[Tensor, "batch head query channel"]


@dataclass(frozen=True)
class ChangedAffinity(PairwiseAffinity):
    """Another affinity whose rows are changed; aggregated row by row, in memory O(N d).

    Args:
        of: whose rows they are.
        change: gets some rows and which they are, returns them changed.
    """

    of: PairwiseAffinity
    change: Callable[[Rows, Queries], Rows]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.of.shape

    def rows(self, queries: Queries) -> Rows:
        rows = self.of.rows(queries)
        return self.change(rows, queries.to(rows.device))

    def aggregate(self, value: Values) -> Gathered:
        return RowwiseAffinity(self).aggregate(value)

    def select(self, item: int) -> ChangedAffinity:
        return replace(self, of=self.of.select(item))


@dataclass(frozen=True)
class OwnAffinity(PairwiseAffinity):
    """Each query listens to one key only; memory O(N).

    Args:
        of: the affinity in whose place it stands.
        own: the key of each query.
    """

    of: PairwiseAffinity
    own: Int[Tensor, " query"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.of.shape

    def rows(self, queries: Queries) -> Rows:
        like = self.of.rows(queries)
        own = self.own[queries.to(self.own.device)].to(like.device)
        index = own[:, None].expand(*like.shape[:3], 1)
        return torch.zeros_like(like).scatter(3, index, 1.0)

    def aggregate(self, value: Values) -> Gathered:
        return value[:, :, self.own.to(value.device)]

    def select(self, item: int) -> OwnAffinity:
        return replace(self, of=self.of.select(item))


@dataclass(frozen=True)
class EvenAffinity(PairwiseAffinity):
    """Each query listens to all keys alike: its row's mean; time and memory as those of ``of``."""

    of: PairwiseAffinity

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.of.shape

    def rows(self, queries: Queries) -> Rows:
        rows = self.of.rows(queries)
        return rows.mean(dim=3, keepdim=True).expand(rows.shape)

    def aggregate(self, value: Values) -> Gathered:
        # A row's sum is what it gathers from ones.
        sums = self.of.aggregate(torch.ones_like(value[..., :1]))
        return sums * value.mean(dim=2, keepdim=True)

    def select(self, item: int) -> EvenAffinity:
        return EvenAffinity(self.of.select(item))


@dataclass(frozen=True)
class MovedAffinity(PairwiseAffinity):
    """Each weight stands at another key; time and memory as those of ``of``.

    Args:
        of: whose weights they are.
        source: for each key, the key whose weight it has now.
    """

    of: PairwiseAffinity
    source: Int[Tensor, " key"]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.of.shape

    def rows(self, queries: Queries) -> Rows:
        rows = self.of.rows(queries)
        return rows[..., self.source.to(rows.device)]

    def aggregate(self, value: Values) -> Gathered:
        # The values are moved the other way, so that no row is needed.
        return self.of.aggregate(value[:, :, self.source.argsort().to(value.device)])

    def select(self, item: int) -> MovedAffinity:
        return replace(self, of=self.of.select(item))


@form_of.register
def _(affinity: OwnAffinity) -> Form:
    _, heads, queries, _ = affinity.shape
    own = affinity.own.int().cpu().numpy().reshape(1, queries, 1)
    return SparseForm(own, np.ones((heads, queries, 1), dtype=np.float32))


@form_of.register
def _(affinity: EvenAffinity) -> Form:
    keys = affinity.shape[3]
    like = affinity.of.rows(torch.arange(1))
    sums = affinity.of.aggregate(like.new_ones(*like.shape[:2], keys, 1))[0].float().cpu()
    ones = np.ones((affinity.shape[1], keys, 1), dtype=np.float32)
    return ProductForm(sums.numpy() / keys, ones, 1.0, None)


@form_of.register
def _(affinity: MovedAffinity) -> Form:
    form = form_of(affinity.of)
    source = affinity.source.cpu().numpy()
    if isinstance(form, ComposedForm) or getattr(form, "regions", None) is not None:
        return SparseForm(None, affinity.dense()[0].float().cpu().numpy())
    if isinstance(form, ProductForm):
        # The same keys in another order have the same normaliser.
        return replace(form, key=form.key[:, source])
    listed = form.listed()
    # Behind the last key stands the one that is none.
    target = np.append(source.argsort(), -1).astype(np.int32)
    return replace(listed, keys=target[listed.keys])
