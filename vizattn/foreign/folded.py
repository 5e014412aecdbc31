"""Rows as a network had them (in windows, heads, any order) as rows over the picture's cells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinities.forms import Form, ProductForm, SparseForm, form_of
from models.affinity import Factors, Normaliser, PairwiseAffinity, RowwiseAffinity
from vizattn.foreign.events import Weights
from vizattn.foreign.scores import Scores


@dataclass(frozen=True)
class FoldedAffinity(PairwiseAffinity):
    """Rows over tokens and cells, read from weights in which windows may lie in the batch.

    Memory is that of what the weights are computed from, and O(cells) for where they lie.

    Args:
        weights: with an axis for queries, one for keys and any others.
        query: which side asks.
        entries: for each group of keys (a window) the entries of the other axes that are its heads.
        asked: for each query the group and the index inside it; -1 where nobody asks.
        heard: for each group, which key each of its tokens is; ``keys`` where it is none.
        keys: how many keys there are.
    """

    weights: Weights
    query: int
    entries: Int[Tensor, "group head"]
    asked: Int[Tensor, "query 2"]
    heard: Int[Tensor, "group member"]
    keys: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, self.entries.shape[1], len(self.asked), self.keys

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        asked = self.asked[queries.cpu()]
        known = asked[:, 0] >= 0
        inside = asked[known]
        wanted, place = inside[:, 1].unique(return_inverse=True)
        placed = torch.zeros(self.entries.shape[1], len(asked), self.keys + 1)
        if len(inside):
            weights = self._cut(wanted)[self.entries[inside[:, 0]], place[:, None]]
            heard = self.heard[inside[:, 0]][:, None].expand(weights.shape)
            own = torch.zeros(*weights.shape[:2], self.keys + 1, dtype=weights.dtype)
            placed[:, known] = own.scatter_add(2, heard, weights).transpose(0, 1)
        return placed[None, ..., : self.keys]

    def _cut(self, wanted: Int[Tensor, " n"]) -> Float[Tensor, "entry n key"]:
        stage = self.weights.stage
        cut = self.weights.cut(self.query, wanted)
        axes = stage.axes[self.query], stage.axes[1 - self.query]
        return _entries(cut.movedim(axes, (-2, -1)))

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return RowwiseAffinity(self).aggregate(value)

    def select(self, item: int) -> PairwiseAffinity:
        if item:
            raise ValueError(f"expected the only picture, 0, received {item}")
        return self


@dataclass(frozen=True)
class PlainAffinity(FoldedAffinity):
    """The same where a row is softmax(scale * query . keys) of all keys: a browser can do that."""

    def factors(self) -> Factors:
        """Return queries and keys in the order of the rows, and their scale."""
        scores = self.weights
        if not isinstance(scores, Scores):
            raise ValueError(f"expected scores of factors, received {type(scores).__name__}")
        query, key = scores.left.kept.tensor, scores.right.kept.tensor.transpose(-2, -1)
        if self.query:
            query, key = key, query
        lead = scores.stage.shape[:-2]
        query, key = (
            _entries(each.expand(*lead, *each.shape[-2:]))[self.entries[0]] for each in (query, key)
        )
        order = self.heard[0].argsort()
        return Factors(
            query[:, self.asked[:, 1]][None],
            key[:, order][None],
            plain_scale(scores) or 1.0,
            Normaliser.SOFTMAX,
        )


@dataclass(frozen=True)
class PlacelessQueries(PairwiseAffinity):
    """Rows of queries without a place, each a head of one query that is the whole picture.

    Args:
        weights: as of ``FoldedAffinity``.
        query: likewise.
        cells: of each entry, which key each of its tokens is; -1 where it is none.
        keys: how many keys there are.
    """

    weights: Weights
    query: int
    cells: Int[Tensor, "entry member"]
    keys: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        stage = self.weights.stage
        return 1, len(self.cells) * stage.shape[stage.axes[self.query]], 1, self.keys

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        stage = self.weights.stage
        axes = stage.axes[self.query], stage.axes[1 - self.query]
        cut = self.weights.cut(self.query, torch.arange(stage.shape[axes[0]]))
        rows = _entries(cut.movedim(axes, (-2, -1)))
        cells = torch.where(self.cells < 0, self.keys, self.cells)
        placed = torch.zeros(*rows.shape[:2], self.keys + 1)
        placed = placed.scatter_add(2, cells[:, None].expand(rows.shape), rows)
        flat = placed[..., : self.keys].reshape(1, -1, 1, self.keys)
        return flat.expand(-1, -1, len(queries), -1)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        return self.rows(torch.zeros(1, dtype=torch.long)) @ value

    def select(self, item: int) -> PairwiseAffinity:
        if item:
            raise ValueError(f"expected the only picture, 0, received {item}")
        return self


def _entries(rows: Float[Tensor, "*lead n key"]) -> Float[Tensor, "entry n key"]:
    return rows.reshape(-1, *rows.shape[-2:]).float().cpu()


@form_of.register
def _(affinity: FoldedAffinity) -> Form:
    groups = affinity.asked[:, 0].clamp(min=0)
    heard = affinity.heard[groups]
    members = heard.masked_fill(heard == affinity.keys, -1)
    rows = torch.cat([affinity.rows(part)[0] for part in torch.arange(len(groups)).split(256)], 1)
    index = heard.clamp(max=affinity.keys - 1).expand(rows.shape[0], -1, -1)
    # Keys that lie on one place were summed: each place is listed once.
    once = members.masked_fill(_again(members), -1)
    weights = rows.gather(2, index).masked_fill(once < 0, 0)
    return SparseForm(once[None].int().numpy(), weights.numpy())


def _again(members: Int[Tensor, "query member"]) -> Tensor:
    """Return which entries stand in their line for the second time."""
    ordered, order = members.sort(dim=1, stable=True)
    repeated = torch.zeros_like(ordered, dtype=torch.bool)
    repeated[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.zeros_like(repeated).scatter(1, order, repeated)


@form_of.register
def _(affinity: PlainAffinity) -> Form:
    made = affinity.factors()
    query, key = (each[0].numpy() for each in (made.query, made.key))
    return ProductForm(query, key, made.scale, made.normaliser)


def plain_scale(scores: Scores) -> float | None:
    """Return s where scores are softmax(s q kᵀ) and nothing else; None where they are more."""
    *scales, last = scores.steps or (None,)
    if last is None or last.whole is None or last.whole != len(last.before.shape) - 1:
        return None
    if last.moves or any(not step.scales for step in scales):
        return None
    if any(step.moves for step in scores.steps) or scores.stage.axes[0] > scores.stage.axes[1]:
        return None
    x = torch.ones(())
    for step in scales:
        x = step.again(x, 0, torch.zeros(1, dtype=torch.long))
    return float(x)
