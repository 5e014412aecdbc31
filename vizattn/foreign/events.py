"""What a recording found, as the network had it: no places yet, no picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.mechanism import Claim
from vizattn.foreign.graph import Node
from vizattn.foreign.keeping import Keeper, Kept
from vizattn.foreign.scores import Stage

CHECKED_ROWS = 32
"""rows of each head that are computed and applied to the values while these are at hand"""


class Weights(Protocol):
    """A tensor of weights that need not exist."""

    @property
    def stage(self) -> Stage:
        """Return its shape and where its tokens are."""

    def cut(self, side: int, index: Int[Tensor, " n"]) -> Tensor:
        """Return it for some tokens of one side."""

    def settled(self, keeper: Keeper) -> Weights:
        """Return it apart from the network."""


@dataclass(frozen=True)
class Stored:
    """Weights that are kept as the tensor that they are: what made them could not be followed."""

    kept: Kept
    stage: Stage

    def cut(self, side: int, index: Int[Tensor, " n"]) -> Tensor:
        return self.stage.pick(self.kept.tensor, side, index)

    def settled(self, keeper: Keeper) -> Stored:
        return replace(self, kept=keeper.settle(self.kept))


@dataclass(frozen=True)
class Carried:
    """Weights through a few channels: take (..., query, inner) times give (..., inner, key).

    Neither need sum to anything; memory O(N inner).
    """

    take: Kept
    give: Kept
    factor: float
    stage: Stage

    def cut(self, side: int, index: Int[Tensor, " n"]) -> Tensor:
        take, give = self.take.tensor, self.give.tensor
        if side == 0:
            take = take.index_select(-2, index.to(take.device))
        else:
            give = give.index_select(-1, index.to(give.device))
        return take @ give * self.factor

    def settled(self, keeper: Keeper) -> Carried:
        return replace(self, take=keeper.settle(self.take), give=keeper.settle(self.give))


@dataclass(frozen=True)
class Side:
    """The tokens of one side of the weights, as the network had them.

    Args:
        node: of the tensor that has them.
        view: makes (..., token, dim) or (..., dim, token) from it.
        axis: which of both is theirs, -2 or -1.
    """

    node: Node
    view: Callable[[Tensor], Tensor]
    axis: int


@dataclass(frozen=True)
class Told:
    """What some rows say of what all promise; the rows themselves are not kept.

    Args:
        least: the smallest weight; minus infinity where one is no number.
        off: how far the sum of a row is from 1 at most.
    """

    least: float
    off: float

    @classmethod
    def by(cls, rows: Float[Tensor, "*rows key"]) -> Told:
        """Return what rows say."""
        rows = rows.float()
        low, high = (each.item() for each in torch.aminmax(rows))
        if not (math.isfinite(low) and math.isfinite(high)):
            return cls(-math.inf, math.inf)
        return cls(low, (rows.sum(dim=-1) - 1).abs().max().item())

    def deviation(self, claim: Claim) -> float:
        """Return how far rows are outside what a claim promises."""
        if claim is Claim.SIMPLEX:
            return max(0.0, -self.least, self.off)
        if claim is Claim.POSITIVE or self.least == -math.inf:
            return max(0.0, -self.least)
        return 0.0


@dataclass(frozen=True)
class Attended:
    """Rows of weights that a network applied to values.

    Args:
        path: dotted path of the module inside which it happened.
        module: name of that module's class.
        weights: the rows.
        query: which side asks: 0 left, 1 right.
        sides: where the left and the right tokens came from; None where that is not known.
        normalised: what made the weights, "softmax" or the name of another operator; "" for none.
        worst: how far rows applied to values were from the output, over its largest value.
        rough: how far such numbers may be apart that have this many bits.
        told: what some rows say of their claims.
        recipe: what was recognised, as one line.
        features: what was weighed, where channels may ask channels.
    """

    path: str
    module: str
    weights: Weights
    query: int
    sides: tuple[Side | None, Side | None]
    normalised: str
    worst: float
    rough: float
    told: Told
    recipe: str
    features: Kept | None = None


@dataclass(frozen=True)
class Gated:
    """A gate that a network multiplied a feature map by.

    Args:
        path: as of ``Attended``.
        module: likewise.
        gate: as wide as it is before it is stretched.
        features: what was multiplied.
        node: of the features.
        own: of the gate.
        made: what made the gate: "sigmoid", "softmax"...
        worst: how far gate times features was from the product, over its largest value.
        rough: as of ``Attended``.
        recipe: what was recognised, as one line.
        branches: whether such products of several branches were summed: the gate has an axis for
            them before those of the features, and the features are the sum.
    """

    path: str
    module: str
    gate: Kept
    features: Kept
    node: Node
    own: Node
    made: str
    worst: float
    rough: float
    recipe: str
    branches: bool = False


@dataclass(frozen=True)
class Sampled:
    """Points of a map at which a network looked for each place of another.

    Args:
        path: as of ``Attended``.
        module: likewise.
        weights: of each point, (1, head, point, query).
        points: row and column of each point in cells, (head, point, query, 2).
        size: rows and columns of the map that is looked at.
        queries: rows and columns of the map that looks.
        source: node of the map that is looked at.
        asking: node of what says where to look: (_, _, row, column) of offsets, or (head, row,
            column, 2) of a grid.
        along: the axes of ``asking`` that are the rows and the columns.
        worst: as of ``Attended``.
        rough: likewise.
        recipe: likewise.
    """

    path: str
    module: str
    weights: Kept
    points: Kept
    size: tuple[int, int]
    queries: tuple[int, int]
    source: Node
    asking: Node
    along: tuple[int, int]
    worst: float
    rough: float
    recipe: str


@dataclass(frozen=True)
class Missed:
    """Something that looks like attention and was not captured.

    Args:
        path: where.
        what: the operator.
        reason: key of the reason in the catalogue's area "foreign".
    """

    path: str
    what: str
    reason: str


Event = Attended | Gated | Sampled


def spread_indices(count: int, most: int = CHECKED_ROWS) -> Int[Tensor, " n"]:
    """Return up to ``most`` indices of a length, the first and the last among them."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most).round().long().unique()


def roughness(tensor: Tensor) -> float:
    """Return how far results may be apart that should be equal, over the largest of them."""
    return max(1e-3, 16 * torch.finfo(tensor.dtype).eps) if tensor.is_floating_point() else 1e-3


def apart(again: Tensor, result: Tensor) -> float:
    """Return the largest difference over the largest value (at least 1), or infinity."""
    again, result = again.float(), result.float()
    if again.shape != result.shape:
        return float("inf")
    if not again.numel():
        return 0.0
    worst = (again - result).abs().max().item() / max(1.0, result.abs().max().item())
    return worst if worst == worst else float("inf")
