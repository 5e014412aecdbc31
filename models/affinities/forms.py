"""What another program needs to compute any row of an affinity: factors, lists of keys, stages.

A row over keys follows from a form without any network; the browser's canvas is such a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

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
            There is one head where all heads have the same keys.
        weights: one for each.
        regions: as of a ``ProductForm``.
    """

    keys: Keys
    weights: Float[np.ndarray, "head query count"]
    regions: Boxes | None = None


@dataclass(frozen=True)
class ComposedForm:
    """The row of the first stage, carried through the rows of the next, and so on.

    Args:
        stages: the forms, the queries' own first; heads are composed one by one.
    """

    stages: tuple[ProductForm | SparseForm | ComposedForm, ...]


Form = ProductForm | SparseForm | ComposedForm
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
    weights = _numbers(affinity.dense())
    keys = np.arange(weights.shape[2], dtype=np.int32)
    return SparseForm(np.broadcast_to(keys, (1, *weights.shape[1:])), weights)


@form_of.register
def _(affinity: LowRankAffinity) -> Form:
    return ProductForm(_numbers(affinity.take), _numbers(affinity.give), 1.0, None)


@form_of.register
def _(affinity: RowwiseAffinity) -> Form:
    return form_of(affinity.of)


@form_of.register
def _(affinity: ComposedAffinity) -> Form:
    stages: list[ProductForm | SparseForm | ComposedForm] = []
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
    rows, columns = affinity.size
    row, column = np.divmod(np.arange(rows * columns), columns)
    down = np.arange(rows) * columns + column[:, None]
    across = row[:, None] * columns + np.arange(columns)
    keys = np.concatenate([down, across], axis=1).astype(np.int32)
    return SparseForm(keys[None], _numbers(affinity.joint().flatten(2, 3)))


@form_of.register
def _(affinity: GroupedAffinity) -> Form:
    order = affinity.groups.flatten().argsort()
    members = affinity.groups.repeat_interleave(affinity.groups.shape[1], dim=0)[order]
    weights = affinity.group_weights().flatten(2, 3)[:, :, order]
    return SparseForm(members[None].int().cpu().numpy(), _numbers(weights))


@form_of.register
def _(affinity: PartitionAffinity) -> Form:
    (rows, columns), blocks = affinity.size, affinity.blocks
    numbered = torch.arange(rows * columns).unflatten(0, affinity.size)
    down, across = (edges(side, blocks) for side in affinity.size)
    most = max(b - a for a, b in pairwise(down))
    most *= max(b - a for a, b in pairwise(across))
    heads = affinity.shape[1]
    keys = torch.full((rows * columns, most), -1)
    weights = torch.zeros(heads, rows * columns, most)
    for i in range(blocks):
        for j in range(blocks):
            inside = numbered[down[i] : down[i + 1], across[j] : across[j + 1]].flatten()
            keys[inside, : len(inside)] = inside
            own = affinity.block(i, j).dense()[0].float().cpu()
            weights[:, inside] = F.pad(own, (0, most - len(inside)))
    return SparseForm(keys[None].int().numpy(), weights.numpy())


@form_of.register
def _(affinity: SampledAffinity) -> Form:
    keys, weights = [], []
    outside = affinity.size[0] * affinity.size[1]
    for index, near in affinity.corners():
        keys.append(torch.where(index == outside, -1, index)[0])
        weights.append(affinity.weights * near.unsqueeze(1))
    listed = torch.cat(keys).T[None].int().cpu().numpy()
    return SparseForm(listed, _numbers(torch.cat(weights, dim=2).transpose(2, 3)))
