"""Products with a letter for each axis, so that it is seen which factor gave the result which."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from string import ascii_letters, ascii_lowercase

from torch import Tensor

from vizattn.foreign.graph import Node


def labels_of(node: Node) -> tuple[list[Node], tuple[str, str], str] | None:
    """Return the factors of a product, a letter for each of their axes, and those of the result."""
    if node.name == "einsum":
        operands = list(node.arguments[1])
        spelled = spelled_out(str(node.arguments[0]), [len(each.shape) for each in operands])
        if spelled is None or len(operands) != 2:
            return None
        (one, other), result = spelled
        return operands, (one, other), result
    first = 1 if node.name == "baddbmm" else 0
    operands = [each for each in node.arguments[first : first + 2] if isinstance(each, Node)]
    if len(operands) != 2 or any(len(each.shape) < 2 for each in operands):
        return None
    lead = ascii_lowercase[3 : 1 + len(node.shape)]
    one, other = (lead[len(lead) + 2 - len(each.shape) :] for each in operands)
    return operands, (one + "ac", other + "cb"), lead + "ab"


def arranged(coordinate: Tensor, own: str, result: str, shape: tuple[int, ...]) -> Tensor:
    """Return coordinates with the axes of a result: means over those that are gone."""
    kept = [label for label in own if label in result]
    for axis in reversed([axis for axis, label in enumerate(own) if label not in result]):
        coordinate = coordinate.mean(dim=axis)
    order = sorted(range(len(kept)), key=lambda index: result.index(kept[index]))
    coordinate = coordinate.permute(order)
    spread = [slice(None) if label in kept else None for label in result]
    return coordinate[tuple(spread)].expand(shape)


def spelled_out(equation: str, ranks: Sequence[int]) -> tuple[list[str], str] | None:
    """Return the letters of ``einsum``'s factors and of its result, also for its three dots.

    None where the result is not said or a factor is missing.
    """
    given, arrow, result = equation.replace(" ", "").partition("->")
    parts = given.split(",")
    if not arrow or len(parts) != len(ranks):
        return None
    free = "".join(letter for letter in ascii_letters if letter not in equation)
    counts = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks, strict=True)]
    dots = free[: max(counts)]
    labels = [
        part.replace("...", dots[len(dots) - count :])
        for part, count in zip(parts, counts, strict=True)
    ]
    return labels, result.replace("...", dots)


Pair = tuple[int, int, str]
"""positions of two factors and the equation of their product, which comes after all others"""


def two_by_two(equation: str, shapes: Sequence[tuple[int, ...]]) -> list[Pair] | None:
    """Return an order of products of two that is a product of several; None where it is not clear.

    What only scales another factor goes first, then the pair that makes the fewest numbers.
    """
    spelled = spelled_out(equation, [len(shape) for shape in shapes])
    if spelled is None or any(
        len(set(labels)) < len(labels) for labels in (*spelled[0], spelled[1])
    ):
        return None
    left, result = spelled
    sizes = {
        label: length
        for labels, shape in zip(left, shapes, strict=True)
        for label, length in zip(labels, shape, strict=True)
    }
    order: list[Pair] = []
    while len(left) > 1:
        offered = []
        for one, other in combinations(range(len(left)), 2):
            rest = [each for at, each in enumerate(left) if at not in (one, other)]
            made = _made(left[one], left[other], "".join(rest) + result) if rest else result
            scales = {*made} in ({*left[one]}, {*left[other]})
            numbers = prod(sizes[label] for label in made)
            offered.append(((not scales, numbers), one, other, made, rest))
        _, one, other, made, rest = min(offered)
        order.append((one, other, f"{left[one]},{left[other]}->{made}"))
        left = [*rest, made]
    return order


def _made(one: str, other: str, wanted: str) -> str:
    """Return the letters that are left of a product: those of both factors, then those of each."""
    both = [label for label in one if label in other and label in wanted]
    own = [label for label in one if label not in other and label in wanted]
    others = [label for label in other if label not in one and label in wanted]
    return "".join((*both, *own, *others))


def mapped_operand(node: Node) -> Node | None:
    """Return the factor that gave a product both of its last axes; None where each gave one.

    What tokens have to do with tokens is a table and no map, whatever its shape.
    """
    labelled = labels_of(node)
    if labelled is None:
        return None
    operands, labels, result = labelled
    both = (
        each for each, own in zip(operands, labels, strict=True) if set(result[-2:]) <= set(own)
    )
    return next(both, None)
