"""Which tensors are maps of the whole picture: what convolutions and their like make of maps."""

from __future__ import annotations

from vizattn.foreign.graph import Node
from vizattn.foreign.lettered import mapped_operand
from vizattn.foreign.moves import JOINS, MAPS, MOVES, PRODUCTS, SAMPLERS

_DEEPEST = 20_000


def is_map(node: Node) -> bool:
    """Return whether a node is a map of the whole picture: one item, made from such a map."""
    if node.given:
        return len(node.shape) == 4
    if node.function is None or not node.active or len(node.shape) != 4 or node.shape[0] != 1:
        return False
    if node.name not in MAPS or node.shape[2] * node.shape[3] < 2:
        return False
    return _from_map(node)


def _from_map(node: Node) -> bool:
    """Return whether what made a map was given a map, walking back along what leaves it one."""
    for _ in range(_DEEPEST):
        if node.given:
            return len(node.shape) == 4
        if node.function is None:
            return False
        # Branches that lie on an axis of their own are summed before they are a map again.
        if (node.name in MOVES or node.name in JOINS) and len(node.shape) < 5:
            return len(node.shape) == 4
        if node.name in SAMPLERS:
            return False
        if node.name in PRODUCTS:
            operand = mapped_operand(node)
            if operand is None:
                return False
            node = operand
            continue
        parents = [each for each in node.parents() if each.active and len(each.shape) > 2]
        if not parents:
            return False
        node = max(parents, key=lambda each: each.shape[-2] * each.shape[-1])
    return False
