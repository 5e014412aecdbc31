"""Sampled points as rows over the cells of the map that is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.affinities.forms import Form, SparseForm, form_of
from models.affinities.sampled import SampledAffinity
from models.affinity import PairwiseAffinity
from vizattn.foreign.coordinates import varies
from vizattn.foreign.events import Sampled
from vizattn.foreign.grids import Laid, laid
from vizattn.foreign.places import Follower
from vizattn.foreign.spread import Places
from vizattn.geometry import Grid, Size


@dataclass(frozen=True)
class HeadsAffinity(PairwiseAffinity):
    """Rows of heads that look at points of their own; memory that of all of them.

    Args:
        heads: one affinity each, of one head, over the same queries and keys.
    """

    heads: tuple[SampledAffinity, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        batch, _, query, key = self.heads[0].shape
        return batch, len(self.heads), query, key

    def rows(self, queries: Int[Tensor, " n"]) -> Float[Tensor, "batch head n key"]:
        return torch.cat([each.rows(queries) for each in self.heads], dim=1)

    def aggregate(
        self, value: Float[Tensor, "batch head key channel"]
    ) -> Float[Tensor, "batch head query channel"]:
        pairs = zip(self.heads, value.split(1, dim=1), strict=True)
        return torch.cat([each.aggregate(own) for each, own in pairs], dim=1)

    def select(self, item: int) -> HeadsAffinity:
        return HeadsAffinity(tuple(each.select(item) for each in self.heads))


@form_of.register
def _(affinity: HeadsAffinity) -> Form:
    forms = [form_of(each) for each in affinity.heads]
    listed = [form.listed() for form in forms if isinstance(form, SparseForm)]
    return SparseForm(
        torch.cat([torch.as_tensor(form.keys) for form in listed]).numpy(),
        torch.cat([torch.as_tensor(form.weights) for form in listed]).numpy(),
    )


@dataclass(frozen=True)
class SampledRows:
    """Rows of what was sampled.

    Args:
        rows: over the cells of the map that is looked at.
        queries: the cells that look.
        keys: the cells that are looked at.
        points: how many of them each place looks at.
        spread: whether the cells that look have no place of their own, and are laid over the whole
            picture.
    """

    rows: PairwiseAffinity
    queries: Grid
    keys: Grid
    points: int
    spread: bool


def sampled_rows(event: Sampled, follower: Follower, size: Size) -> SampledRows | None:
    """Return what was sampled as rows; None where the map that is looked at has no regular grid.

    Args:
        event: what was found.
        follower: knows the places of tensors.
        size: (width, height) of the network's input.
    """
    keys = _map(follower.places(event.source), (2, 3), size)
    if keys is None or (keys.grid.rows, keys.grid.columns) != event.size:
        return None
    weights, points = (each.tensor.float().cpu() for each in (event.weights, event.points))
    rows, columns = event.queries
    asking = follower.places(event.asking)
    queries = _map(asking, event.along, size)
    if asking is not None and queries is None and _varies(asking, event.along[0]):
        # One axis is tokens that look, the other the points at which each of them looks.
        queries = _map(asking, event.along[:1], size)
        weights = weights.unflatten(3, (rows, columns)).squeeze(2).transpose(2, 3)
        points = points.unflatten(2, (rows, columns)).squeeze(1).transpose(1, 2)
    spread = queries is None
    if queries is None:
        cell = (size[0] / columns, size[1] / rows)
        queries = Laid(Grid(rows, columns, cell), torch.arange(rows * columns))
    order = queries.cells.argsort()
    if not torch.equal(queries.cells[order], torch.arange(len(queries.grid))):
        return None
    heads = tuple(
        SampledAffinity(weights[:, head : head + 1, :, order], own[None, :, order], event.size)
        for head, own in enumerate(points)
    )
    affinity = heads[0] if len(heads) == 1 else HeadsAffinity(heads)
    return SampledRows(affinity, queries.grid, keys.grid, weights.shape[2], spread)


def _map(places: Places | None, axes: tuple[int, ...], size: Size) -> Laid | None:
    """Return where the places of some axes are, if these alone say it."""
    if places is None:
        return None
    others = (axis for axis in range(places.y.dim()) if axis not in axes)
    if any(_varies(places, axis) for axis in others):
        return None
    if not any(_varies(places, axis) for axis in axes):
        return None
    index = tuple(slice(None) if axis in axes else 0 for axis in range(places.y.dim()))
    found = laid(places.y[index].flatten(), places.x[index].flatten(), size)
    if found is None or len(found.cells.unique()) < len(found.cells):
        return None
    return found


def _varies(places: Places, axis: int) -> bool:
    return any(varies(each, axis) for each in (places.y, places.x))
