"""Products that are written as a multiplication and a sum: (w[..., None] * v[:, None]).sum(2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from vizattn.foreign.attending import multiplied
from vizattn.foreign.events import Missed
from vizattn.foreign.hearing import Hearing
from vizattn.foreign.places import axes_of
from vizattn.foreign.products import Product

_LEAST_AXES = 3
"""axes of what may be a table of tokens with tokens before it is summed"""


@dataclass(frozen=True)
class Outer:
    """Two tensors that were multiplied, each stretched along an axis of the other.

    Args:
        one: as the network had it.
        other: likewise.
        missed: what is said where it is never summed and one of them was weights.
    """

    one: Tensor
    other: Tensor
    missed: Missed | None


def remember(hearing: Hearing, call: Any, result: Any) -> None:
    """Remember a product of which both factors are stretched: it may be summed."""
    given = call[1][:2]
    if len(given) < 2 or not all(isinstance(each, Tensor) for each in given):
        return
    one, other = given
    if result.dim() < _LEAST_AXES or one.shape == other.shape:
        return
    if any(own == 1 < whole for own, whole in _pairs(one, result)) and any(
        own == 1 < whole for own, whole in _pairs(other, result)
    ):
        weights = [each in hearing.scores or each in hearing.marks for each in given]
        weighed = any(weights) and not all(weights) and all(map(hearing.graph.active, given))
        missed = hearing.miss("mul", "not_summed") if weighed else None
        hearing.outer[result] = Outer(one, other, missed)


def _pairs(tensor: Tensor, result: Tensor) -> list[tuple[int, int]]:
    shape = (1,) * (result.dim() - tensor.dim()) + tuple(tensor.shape)
    return list(zip(shape, result.shape, strict=True))


def summed(hearing: Hearing, call: Any, result: Tensor) -> bool:
    """Hear the sum of such a product; returns whether it is dealt with."""
    _, arguments, keywords = call
    outer: Outer | None = hearing.outer.get(arguments[0])
    if outer is None:
        return False
    whole = arguments[0]
    axes = axes_of(arguments, keywords, whole.dim())
    if len(axes) != 1 or result.dim() == whole.dim():
        return False
    product = _product(outer, whole, axes[0])
    if product is None or not multiplied(hearing, product, result):
        return False
    if outer.missed is not None:
        hearing.found(outer.missed)
    return True


def _product(outer: Outer, whole: Tensor, axis: int) -> Product | None:
    """Return a product with its tokens and the summed axis; None where these are not one each."""
    one, other = (_pairs(each, whole) for each in (outer.one, outer.other))
    if one[axis][0] == 1 or other[axis][0] == 1:
        return None
    rest = [at for at in range(whole.dim()) if at != axis]
    own = [at for at in rest if other[at][0] == 1 < one[at][0]]
    others = [at for at in rest if one[at][0] == 1 < other[at][0]]
    if len(own) != 1 or len(others) != 1:
        return None
    lead = [at for at in rest if at not in (*own, *others)]
    rank = whole.dim()
    factors = (outer.one, outer.other)
    left, right = (rank - each.dim() for each in factors)
    return Product(
        factors,
        (
            partial(_laid, rank=rank, order=[*lead, own[0], axis], gone=others[0]),
            partial(_laid, rank=rank, order=[*lead, axis, others[0]], gone=own[0]),
        ),
        (axis - left, axis - right),
        (own[0] - left, others[0] - right),
        (own[0] - (own[0] > axis), others[0] - (others[0] > axis)),
        partial(_again, axis=axis),
    )


def _laid(tensor: Tensor, rank: int, order: Sequence[int], gone: int) -> Tensor:
    """Return a factor with its axes in an order, without the one that only the other has."""
    wide = tensor[(None,) * (rank - tensor.dim())]
    return wide.select(gone, 0).permute([at - (at > gone) for at in order])


def _again(one: Tensor, other: Tensor, axis: int) -> Tensor:
    return (one * other).sum(axis)
