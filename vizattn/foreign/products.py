"""Products of two tensors, whichever operator writes them: factors, contracted axis, cut again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vizattn.foreign.lettered import spelled_out
from vizattn.foreign.scores import Stage

_STRIDE = 4
"""position of the first argument of a convolution that is no plain layer's, if it is given"""
Again = Callable[[Tensor, Tensor], Tensor]
"""the product of two tensors, either of them possibly cut"""


@dataclass(frozen=True)
class Product:
    """An operator that sums products over one axis of two tensors.

    Args:
        operands: both tensors as the network gave them.
        views: what turns each into a factor: (..., left token, dim) and (..., dim, right token).
        contracted: the summed axis of each operand.
        tokens: the axis of each operand's own tokens.
        placed: where the tokens of each are in the result.
        again: the same operator.
    """

    operands: tuple[Tensor, Tensor]
    views: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]
    contracted: tuple[int, int]
    tokens: tuple[int, int]
    placed: tuple[int, int]
    again: Again

    def stage(self, shape: Sequence[int]) -> Stage:
        """Return where the tokens are in the result."""
        return Stage(tuple(shape), self.placed)


def product_of(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Product | None:
    """Return an operator's product; None if it is not one of two tensors over one axis."""
    make = _PRODUCTS.get(name)
    return None if make is None else make(arguments, keywords)


def _matmul(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Product | None:
    one, other = arguments[:2]
    if one.dim() < 2 or other.dim() < 2:
        return None
    rank = max(one.dim(), other.dim())
    return Product(
        (one, other),
        (_same, _same),
        (one.dim() - 1, other.dim() - 2),
        (one.dim() - 2, other.dim() - 1),
        (rank - 2, rank - 1),
        _multiply,
    )


def _baddbmm(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Product | None:
    found = _matmul(arguments[1:3], {})
    return found


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _multiply(one: Tensor, other: Tensor) -> Tensor:
    return one @ other


def _einsum(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Product | None:
    equation, operands = str(arguments[0]), arguments[1]
    spelled = spelled_out(equation, [each.dim() for each in operands])
    if spelled is None or len(operands) != 2:
        return None
    (one, other), result = spelled
    if any(len(set(labels)) < len(labels) for labels in (one, other, result)):
        return None
    summed = [label for label in one if label in other and label not in result]
    own = [label for label in one if label not in other and label in result]
    others = [label for label in other if label not in one and label in result]
    lead = [label for label in result if label in one and label in other]
    if not len(summed) == len(own) == len(others) == 1:
        return None
    if len(lead) + 2 != len(one) or len(lead) + 2 != len(other):
        return None
    return Product(
        (operands[0], operands[1]),
        (
            partial(_permuted, order=[one.index(label) for label in (*lead, *own, *summed)]),
            partial(_permuted, order=[other.index(label) for label in (*lead, *summed, *others)]),
        ),
        (one.index(summed[0]), other.index(summed[0])),
        (one.index(own[0]), other.index(others[0])),
        (result.index(own[0]), result.index(others[0])),
        partial(_einsum_again, equation=equation),
    )


def layer_of(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Product | None:
    """Return a layer on single tokens, (1, token, dim) or (1, dim, token), as a product."""
    given = dict(zip(("input", "weight", "bias"), arguments, strict=False)) | dict(keywords)
    x, weight = given["input"], given["weight"]
    if name == "linear":
        again, token, dim = partial(F.linear, bias=given.get("bias")), 1, 2
    elif weight.shape[1:] == (x.shape[1], 1) and len(arguments) < _STRIDE:
        again, token, dim = partial(F.conv1d, bias=given.get("bias")), 2, 1
    else:
        return None
    return Product(
        (x, weight),
        (partial(_permuted, order=(0, token, dim)), _of_layer),
        (dim, 1),
        (token, 0),
        (token, dim),
        again,
    )


def _of_layer(weight: Tensor) -> Tensor:
    """Return (dim, token) from a layer's (token, dim, ...)."""
    return weight.flatten(1).T


def _permuted(tensor: Tensor, order: Sequence[int]) -> Tensor:
    return tensor.permute(*order)


def _einsum_again(one: Tensor, other: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, one, other)


_PRODUCTS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], Product | None]] = {
    "matmul": _matmul,
    "bmm": _matmul,
    "mm": _matmul,
    "einsum": _einsum,
    "baddbmm": _baddbmm,
}
