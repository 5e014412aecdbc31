"""What another program needs to compute any row of an affinity: factors, lists of keys, stages.

A row over keys follows from a form without any network; the browser's canvas is such a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinities.composed import ComposedAffinity
from models.affinities.criss_cross import CrissCrossAffinity
from models.affinities.grouped import GroupedAffinity
from models.affinities.low_rank import LowRankAffinity
from models.affinities.partition import PartitionAffinity, edges
from models.affinities.pooled import PooledAffinity
from models.affinities.sampled import SampledAffinity
from models.affinities.shared import StackedAffinity
from models.affinities.windows import WindowAffinity
from models.affinity import Normaliser, PairwiseAffinity, RowwiseAffinity

Size = tuple[int, int]
Keys = Int[np.ndarray, "_ query count"]
Boxes = Float[np.ndarray, "key 4"]
"""left, top, right and bottom of each key, in cells of the keys' map"""
_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class ProductForm:
    """normaliser(scale * query_i . key_j); without one the products are the weights themselves.

    Args:
        query: one line for each query.
        key: one line for each key.
        scale: of the products.
        normaliser: over the keys of a row; None for none.
        regions: where keys are no cells one to one, the box that each stands for; its weight is
            spread evenly over the box.
    """

    query: Float[np.ndarray, "head query dim"]
    key: Float[np.ndarray, "head key dim"]
    scale: float
    normaliser: Normaliser | None
    regions: Boxes | None = None


@dataclass(frozen=True)
class SparseForm:
    """A list of keys and their weights for each query.

    Args:
        keys: which keys, -1 for none; the same key may come more than once, its weights add up.
            There is one head where all heads have the same keys. None: all keys, in their order.
        weights: one for each.
        regions: as of a ``ProductForm``.
    """

    keys: Keys | None
    weights: Float[np.ndarray, "head query count"]
    regions: Boxes | None = None

    def listed(self) -> SparseForm:
        """Return the form itself, with its keys said one by one."""
        if self.keys is not None:
            return self
        _, queries, count = self.weights.shape
        every = np.broadcast_to(np.arange(count, dtype=np.int32), (1, queries, count))
        return SparseForm(every, self.weights, self.regions)

    def heard(self, query: int, head: int | None = None) -> frozenset[int] | None:
        """Return the keys that a query lists, of one head or of all; None where these are all."""
        if self.keys is None or self.regions is not None:
            return None
        lists = self.keys if head is None or len(self.keys) == 1 else self.keys[head : head + 1]
        return frozenset(lists[:, query].ravel().tolist()) - {-1}


@dataclass(frozen=True)
class CrossForm:
    """softmax of query_i . key_j over the places j that are in the column or the row of place i.

    Args:
        query: one line for each place.
        key: likewise.
        size: rows and columns of the map.
    """

    query: Float[np.ndarray, "head place dim"]
    key: Float[np.ndarray, "head place dim"]
    size: Size

    def _keys(self) -> Keys:
        """Return the column and then the row of every place, which stands in the row alone."""
        rows, columns = self.size
        row, column = np.divmod(np.arange(rows * columns), columns)
        down = np.arange(rows) * columns + column[:, None]
        down[np.arange(rows * columns), row] = -1
        across = row[:, None] * columns + np.arange(columns)
        return np.concatenate([down, across], axis=1)[None].astype(np.int32)

    def listed(self) -> SparseForm:
        """Return the keys of every place and their weights; memory O(N (rows + columns))."""
        return _weighed(self.query, self.key, self._keys(), 1.0)

    def heard(self, query: int, head: int | None = None) -> frozenset[int] | None:
        """Return the places in line with one, which all heads have in common."""
        rows, columns = self.size
        row, column = divmod(query, columns)
        across = range(row * columns, (row + 1) * columns)
        return frozenset(across).union(range(column, rows * columns, columns))


@dataclass(frozen=True)
class GroupedForm:
    """softmax(scale * query_i . key_j) over the places j that are in the group of place i.

    Args:
        query: one line for each place.
        key: likewise.
        scale: of the products.
        groups: in which group each place is.
    """

    query: Float[np.ndarray, "head place dim"]
    key: Float[np.ndarray, "head place dim"]
    scale: float
    groups: Int[np.ndarray, " place"]

    def _keys(self) -> Keys:
        """Return the members of every place's group; of smaller groups some are none."""
        order, sizes = np.argsort(self.groups, kind="stable"), np.bincount(self.groups)
        members = np.full((len(sizes), sizes.max()), -1, dtype=np.int32)
        members[np.arange(sizes.max()) < sizes[:, None]] = order
        return members[self.groups][None]

    def listed(self) -> SparseForm:
        """Return the keys of every place and their weights; memory O(N length)."""
        return _weighed(self.query, self.key, self._keys(), self.scale)

    def heard(self, query: int, head: int | None = None) -> frozenset[int] | None:
        """Return the members of a place's group, which all heads have in common."""
        return frozenset(np.flatnonzero(self.groups == self.groups[query]).tolist())


def _weighed(
    query: Float[np.ndarray, "head place dim"],
    key: Float[np.ndarray, "head place dim"],
    keys: Keys,
    scale: float,
) -> SparseForm:
    parts = []
    for first in range(0, keys.shape[1], _QUERIES_AT_ONCE):
        some = slice(first, first + _QUERIES_AT_ONCE)
        logits = scale * np.einsum("hqd,hqkd->hqk", query[:, some], key[:, keys[0, some]])
        logits[:, keys[0, some] < 0] = -np.inf
        powers = np.exp(logits - logits.max(axis=2, keepdims=True))
        parts.append(powers / powers.sum(axis=2, keepdims=True))
    return SparseForm(keys, np.concatenate(parts, axis=1))


@dataclass(frozen=True)
class ComposedForm:
    """The row of the first stage, carried through the rows of the next, and so on.

    Args:
        stages: the forms, the queries' own first; heads are composed one by one.
    """

    stages: tuple[ProductForm | SparseForm | CrossForm | GroupedForm | ComposedForm, ...]


ListedForm = SparseForm | CrossForm | GroupedForm
"""forms of which every row is a list of keys"""
Form = ProductForm | ListedForm | ComposedForm
LISTED = (
    CrissCrossAffinity,
    GroupedAffinity,
    PartitionAffinity,
    SampledAffinity,
    WindowAffinity,
)
"""affinities whose queries hear a few keys, which their forms list"""


@singledispatch
def form_of(affinity: PairwiseAffinity) -> Form:
    """Return what another program computes rows from, for the first picture of the batch.

    An affinity of a class that is not known here is written out: every key of every query.
    """
    factors = getattr(affinity, "factors", None)
    if factors is None:
        return _written_out(affinity)
    made = factors()
    return ProductForm(_numbers(made.query), _numbers(made.key), made.scale, made.normaliser)


def _numbers(values: Tensor) -> np.ndarray:
    return values[0].float().cpu().numpy()


def _written_out(affinity: PairwiseAffinity) -> SparseForm:
    return SparseForm(None, _numbers(affinity.dense()))


@form_of.register
def _(affinity: LowRankAffinity) -> Form:
    return ProductForm(_numbers(affinity.take), _numbers(affinity.give), 1.0, None)


@form_of.register
def _(affinity: RowwiseAffinity) -> Form:
    return form_of(affinity.of)


@form_of.register
def _(affinity: ComposedAffinity) -> Form:
    stages: list[Form] = []
    for part in (affinity.second, affinity.first):
        form = form_of(part)
        stages += form.stages if isinstance(form, ComposedForm) else [form]
    return ComposedForm(tuple(stages))


@form_of.register
def _(affinity: StackedAffinity) -> Form:
    try:
        made = affinity.factors()
    except ValueError:  # its parts are not alike
        return _written_out(affinity)
    return ProductForm(_numbers(made.query), _numbers(made.key), made.scale, made.normaliser)


@form_of.register
def _(affinity: WindowAffinity) -> Form:
    keys = affinity.window.keys(affinity.queries, affinity.keys).T
    inside = (keys >= 0).any(dim=0)
    if int(inside.sum()) >= affinity.shape[3]:
        return _written_out(affinity)
    weights = affinity.weights if affinity.rest is None else _above(affinity)
    listed = keys[:, inside][None].int().numpy()
    found = _numbers(weights[:, :, inside.to(weights.device)].transpose(2, 3))
    if affinity.rest is None:
        return SparseForm(listed, found)
    # One more key stands for the whole map: its weight, spread, is what every key has at least.
    count = affinity.keys[0] * affinity.keys[1]
    rest = _numbers(affinity.rest)[..., None] * count
    everything = np.full((*listed.shape[:2], 1), count, dtype=np.int32)
    boxes = np.concatenate([_cells(affinity.keys), _box(0, 0, *affinity.keys)])
    return SparseForm(
        np.concatenate([listed, everything], axis=2),
        np.concatenate([found, rest], axis=2),
        boxes,
    )


def _above(affinity: WindowAffinity) -> Tensor:
    rest = affinity.rest
    return affinity.weights if rest is None else affinity.weights - rest.unsqueeze(2)


def _box(top: float, left: float, bottom: float, right: float) -> Boxes:
    return np.array([[left, top, right, bottom]], dtype=np.float32)


def _cells(size: Size) -> Boxes:
    rows, columns = np.divmod(np.arange(size[0] * size[1]), size[1])
    return np.stack([columns, rows, columns + 1, rows + 1], axis=1).astype(np.float32)


@form_of.register
def _(affinity: PooledAffinity) -> Form:
    inner = form_of(affinity.anchors)
    if not isinstance(inner, ProductForm) or inner.regions is not None:
        return _written_out(affinity)
    rows, columns = affinity.size
    # The means of adaptive pooling: cells of one grid may overlap by a row or a column.
    boxes = [
        _box(i * rows // n, j * columns // n, -(-(i + 1) * rows // n), -(-(j + 1) * columns // n))
        for n in affinity.sides
        for i in range(n)
        for j in range(n)
    ]
    return ProductForm(inner.query, inner.key, inner.scale, inner.normaliser, np.concatenate(boxes))


@form_of.register
def _(affinity: CrissCrossAffinity) -> Form:
    return CrossForm(_numbers(affinity.query), _numbers(affinity.key), affinity.size)


@form_of.register
def _(affinity: GroupedAffinity) -> Form:
    count, length = affinity.groups.shape
    groups = np.empty(count * length, dtype=np.int32)
    groups[affinity.groups.flatten().cpu().numpy()] = np.arange(count).repeat(length)
    return GroupedForm(_numbers(affinity.query), _numbers(affinity.key), affinity.scale, groups)


@form_of.register
def _(affinity: PartitionAffinity) -> Form:
    down, across = (
        np.arange(affinity.blocks).repeat(np.diff(edges(side, affinity.blocks)))
        for side in affinity.size
    )
    groups = (down[:, None] * affinity.blocks + across).flatten().astype(np.int32)
    return GroupedForm(_numbers(affinity.query), _numbers(affinity.key), affinity.scale, groups)


@form_of.register
def _(affinity: SampledAffinity) -> Form:
    keys, weights = [], []
    outside = affinity.size[0] * affinity.size[1]
    for index, near in affinity.corners():
        keys.append(torch.where(index == outside, -1, index)[0])
        weights.append(affinity.weights * near.unsqueeze(1))
    listed = torch.cat(keys).T[None].int().cpu().numpy()
    return SparseForm(listed, _numbers(torch.cat(weights, dim=2).transpose(2, 3)))
