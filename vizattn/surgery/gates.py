"""Gates changed as tensors: which of their axes hold what is weighed against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from models.mechanism import Claim, Kind


@dataclass(frozen=True)
class Axes:
    """Axes of one kind of gate.

    Args:
        along: what is evened out and shuffled, together.
        ranked: what is ranked, together; empty where there is nothing to choose from.
        painted: whether there is a value for each place that a brush can reach.
    """

    along: tuple[int, ...]
    ranked: tuple[int, ...]
    painted: bool = False


AXES: Mapping[Kind, Axes] = {
    Kind.CHANNEL_GATE: Axes((1,), (1,)),
    Kind.SPATIAL_GATE: Axes((2, 3), (2, 3), painted=True),
    Kind.FEATURE_GATE: Axes((2, 3), (2, 3), painted=True),
    Kind.HEIGHT_GATE: Axes((2,), (2,)),
    Kind.WIDTH_GATE: Axes((2,), (2,)),
    Kind.ROTATED_GATE: Axes((1, 2), (1, 2)),
    Kind.BRANCH_GATE: Axes((1,), (1,)),
    Kind.EXPERT_GATE: Axes((1,), (1,)),
    Kind.MODALITY_GATE: Axes((2, 3), (1,)),
    Kind.ASSIGNMENT: Axes((-2,), (-1,)),
    Kind.GATHERING: Axes((2,), (2,)),
    Kind.CONTEXT: Axes((2, 3), ()),
}


def even(gate: Tensor, kind: Kind) -> Tensor:
    """Return a gate in which all that is weighed has the mean weight."""
    return gate.mean(dim=AXES[kind].along, keepdim=True).expand(gate.shape).clone()


def shuffled(gate: Tensor, kind: Kind, seed: int) -> Tensor:
    """Return a gate whose weights all stand somewhere else; the same order for the same seed."""
    flat, back = _together(gate, AXES[kind].along)
    return back(flat[..., elsewhere(flat.shape[-1], seed).to(gate.device)])


def strongest(gate: Tensor, kind: Kind, claim: Claim, count: int) -> Tensor:
    """Return a gate that keeps its largest weights; 0 for the rest, and a simplex sums to 1."""
    flat, back = _together(gate, AXES[kind].ranked)
    kept = back(keep_largest(flat, count))
    return renormalised(kept, kind.simplex_axes) if claim is Claim.SIMPLEX else kept


def keep_largest(values: Tensor, count: int) -> Tensor:
    """Return values in which only so many of the last axis, the largest in size, are not 0."""
    index = values.abs().topk(min(count, values.shape[-1]), dim=-1).indices
    return torch.zeros_like(values).scatter(-1, index, values.gather(-1, index))


def renormalised(weights: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return weights that sum to 1 over some axes; where nothing is left they stay 0."""
    total = weights.sum(dim=axes, keepdim=True)
    return torch.where(total > 0, weights / total.clamp_min(torch.finfo(weights.dtype).tiny), 0.0)


def elsewhere(count: int, seed: int) -> Int[Tensor, " item"]:
    """Return an order in which every one of two or more items has moved (Sattolo's cycle)."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(count)
    for last in range(count - 1, 0, -1):
        other = int(torch.randint(last, (1,), generator=generator))
        order[[last, other]] = order[[other, last]]
    return order


def _together(gate: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return a gate with some axes flattened to its last, and what puts them back."""
    ends = tuple(range(-len(axes), 0))
    moved = gate.movedim(axes, ends)

    def back(flat: Tensor) -> Tensor:
        return flat.reshape(moved.shape).movedim(ends, axes).contiguous()

    return moved.flatten(-len(axes)), back
