"""Products with a letter for each axis, so that it is seen which factor gave the result which."""

from __future__ import annotations

from collections.abc import Sequence
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
