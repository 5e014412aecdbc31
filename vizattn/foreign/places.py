"""Where on the picture the numbers of a tensor lie, by doing again what the network did to places.

Every number of a feature map of rows and columns has a place. Operators that only move numbers
(partitions into windows, shifts, flattening, splits into heads) are done again with the places in
the place of the numbers; layers on single tokens leave places as they are. So windows come back to
where they were, and tokens that were added (class tokens, registers, padding) are seen to have no
place, whatever the network calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.coordinates import narrowed, varies
from vizattn.foreign.graph import Node, leaves, mapped
from vizattn.foreign.grids import BEYOND
from vizattn.foreign.lettered import arranged, labels_of
from vizattn.foreign.maps import is_map
from vizattn.foreign.moves import (
    ASKING,
    JOINS,
    LIKE,
    MAPS,
    MOVES,
    PRODUCTS,
    SAMPLERS,
    SUMS,
    TOKENWISE,
    WHOLE,
)
from vizattn.foreign.operators import operator
from vizattn.foreign.spread import Places, map_of, map_places, warped
from vizattn.foreign.tokens import is_token

NOWHERE = float("nan")
"""the place of what is nowhere on the picture"""


class Follower:
    """Finds the places of tensors, remembering what it found.

    ``constants`` are the parameters that tokens without a place were made of.
    """

    def __init__(self) -> None:
        self.constants: list[tuple[str, ...]] = []
        self._found: dict[Node, Places | None] = {}

    def places(self, node: Node) -> Places | None:
        """Return where a tensor's numbers lie; None where that is not known."""
        order, seen = [node], {id(node)}
        pending = []
        # Networks are deeper than Python's stack: first those that are needed, then their order.
        while order:
            current = order.pop()
            pending.append(current)
            for parent in self._needed(current):
                if id(parent) not in seen and parent not in self._found:
                    seen.add(id(parent))
                    order.append(parent)
        for current in reversed(_sorted(pending, self._needed)):
            if current not in self._found:
                self._found[current] = _compact(self._place(current))
        return self._found[node]

    def varies(self, node: Node, view: Callable[[Tensor], Tensor], axis: int) -> bool:
        """Return whether a view of a tensor has different places along an axis."""
        found = self.places(node)
        if found is None:
            return False
        return any(varies(view(each), axis) for each in (found.y, found.x))

    def spread(self, node: Node, view: Callable[[Tensor], Tensor], axis: int) -> bool:
        """Return whether tokens have different places: along their axis, or one of each entry."""
        found = self.places(node)
        if found is None:
            return False
        seen = [view(each) for each in (found.y, found.x)]
        alone = seen[0].shape[axis] == 1
        axes = range(seen[0].dim() - 2) if alone else (axis,)
        return any(varies(each, along) for each in seen for along in axes)

    def tokens(self, node: Node, view: Callable[[Tensor], Tensor], axis: int) -> Places | None:
        """Return the places of tokens, with 1 in the place of the view's other axis."""
        found = self.places(node)
        if found is None:
            return None
        other = -1 if axis == -2 else -2
        return found.each(lambda each: view(each).mean(dim=other, keepdim=True))

    def _needed(self, node: Node) -> list[Node]:
        if node.function is None or node in self._found or is_map(node):
            return []
        return [each for each in node.parents() if each.active]

    def _place(self, node: Node) -> Places | None:
        if node.given:
            return map_places(node.shape) if len(node.shape) == 4 else None
        if node.function is None or not node.active:
            return None
        name = node.name
        if is_map(node):
            return map_places(node.shape)
        parents = [each for each in node.parents() if each.active]
        known = [self._found.get(each) for each in parents]
        first = known[0] if known else None
        if name in MAPS:
            return map_of(node, first)
        if name in JOINS:
            return self._joined(node)
        if name in MOVES:
            return None if first is None else _moved(node, first)
        if name in LIKE and first is not None:
            return _like(name, node, first)
        if name in ("pad", "constant_pad_nd") and first is not None:
            return _padded(node, first)
        if name in SAMPLERS:
            return warped(node, *(self._found.get(each) for each in node.arguments[:2]))
        if name in ASKING:
            return self._asked(node)
        if name in TOKENWISE:
            return None if first is None else _tokenwise(node, first)
        if name in PRODUCTS:
            return self._product(node)
        if name in SUMS:
            return self._summed(node, parents, first)
        if name in ("view_as_complex", "view_as_real"):
            return None if first is None else _complex(name, first)
        if name in WHOLE or operator(node.function).pointwise:
            found = _whole(node, parents, known)
            if found is None or bool((found.y.isnan() & found.x.isnan()).all()):
                return self._added_token(node) or found
            return found
        return None

    def _summed(self, node: Node, parents: list[Node], first: Places | None) -> Places | None:
        """Return the places of a sum; of stretched products those of the factor that is left."""
        found = None if first is None else _summed(node, first)
        if found is None and parents and parents[0].name == "mul":
            factors = (self._found.get(each) for each in parents[0].parents())
            wide = (_stretched(each, parents[0].shape) for each in factors if each is not None)
            found = next((made for each in wide if (made := _summed(node, each))), None)
        return found if found is not None or first is None else _pooled(node, first)

    def _asked(self, node: Node) -> Places | None:
        """Return the places of what a fused operator of attention makes: those of the queries."""
        query = node.arguments[0]
        if not query.active:
            return self._nowhere(Node(node.shape, False), (0, 0))
        found = self._found.get(query)
        return None if found is None else _tokenwise(node, found)

    def _product(self, node: Node) -> Places | None:
        """Return the places that one of two factors gives to what comes of their product."""
        labelled = labels_of(node)
        if labelled is None:
            return None
        operands, labels, result = labelled
        known = [self._found.get(each) for each in operands]
        gone = []
        for operand, (own, places) in enumerate(zip(labels, known, strict=True)):
            if places is None:
                continue
            along = {
                label
                for axis, label in enumerate(own)
                if any(varies(each, axis) for each in (places.y, places.x))
            }
            # A layer of constant weights mixes what it is given: the mean place is left.
            mixed = not operands[1 - operand].active
            if not mixed and along - set(result):
                gone.append(operand)
            elif mixed or along & set(result):
                return places.each(partial(arranged, own=own, result=result, shape=node.shape))
        if None not in known:
            # Whoever asked is no place, and what was heard is summed up.
            return self._nowhere(Node(node.shape, False), (0, 0))
        return self._mixed(node, labelled, gone[0]) if gone else None

    def _mixed(
        self, node: Node, labelled: tuple[list[Node], tuple[str, str], str], values: int
    ) -> Places | None:
        """Return the places of values that unknown weights mix, as many as before.

        They are taken to stay where they are: the negative origin says that this is assumed.
        """
        operands, labels, result = labelled
        places, own = self._found[operands[values]], labels[values]
        weights = operands[1 - values], labels[1 - values]
        summed = [each for each in own if each not in result]
        asked = [each for each in weights[1] if each in result and each not in own]
        lengths = [weights[0].shape[weights[1].index(each)] for each in (*summed, *asked)]
        if places is None or len(summed) != 1 or len(asked) != 1 or len(set(lengths)) != 1:
            return None
        own = own.replace(summed[0], asked[0])
        rows, columns = places.origin
        moved = places.each(partial(arranged, own=own, result=result, shape=node.shape))
        return Places(moved.y, moved.x, (-abs(rows), -abs(columns)))

    def _joined(self, node: Node) -> Places | None:
        given = [each for each in leaves(node.arguments) if isinstance(each, Node)]
        known = [self._found.get(each) for each in given]
        first = next((each for each in known if each is not None), None)
        if first is None:
            return None
        parts = [
            each if each is not None else self._nowhere(part, first.origin)
            for each, part in zip(known, given, strict=True)
        ]
        rest = [each for each in node.arguments if not isinstance(each, list)]
        y, x = (
            node.function([getattr(each, axis) for each in parts], *rest, **node.keywords)
            for axis in ("y", "x")
        )
        return Places(y, x, first.origin)

    def _added_token(self, node: Node) -> Places | None:
        """Return a token's constant where something was added to the token itself."""
        own = [each for each in node.parents() if each.shape == node.shape]
        token = next((each for each in own if is_token(each.parameters)), None)
        return None if token is None else self._nowhere(token, (0, 0))

    def _nowhere(self, node: Node, origin: tuple[int, int]) -> Places:
        """Return no place, but which constant it is instead."""
        x = NOWHERE
        if node.parameters:
            if node.parameters not in self.constants:
                self.constants.append(node.parameters)
            x = -1.0 - self.constants.index(node.parameters)
        none, which = (torch.tensor(each).expand(*node.shape) for each in (NOWHERE, x))
        return Places(none, which, origin)


def _sorted(nodes: list[Node], needed: Callable[[Node], list[Node]]) -> list[Node]:
    """Return nodes so that each stands before those that it needs."""
    inside = {id(each) for each in nodes}
    sorter: TopologicalSorter[Node] = TopologicalSorter()
    for each in nodes:
        sorter.add(each, *(parent for parent in needed(each) if id(parent) in inside))
    return list(sorter.static_order())[::-1]


def _moved(node: Node, first: Places) -> Places | None:
    def again(coordinate: Tensor) -> Tensor:
        used = [False]

        def given(leaf: Any) -> Any:
            if not isinstance(leaf, Node):
                return leaf
            if not used[0]:
                used[0] = True
                return coordinate
            return leaf.value.cpu() if leaf.value is not None else None

        arguments, keywords = mapped((list(node.arguments), dict(node.keywords)), given)
        function = _COPYING.get(node.name, node.function)
        made = function(*arguments, **keywords)
        return made if node.part is None else made[node.part]

    try:
        y, x = again(first.y), again(first.x)
    except (RuntimeError, TypeError, IndexError, NotImplementedError):
        return None
    if node.name == "im2col":
        # Beyond the border it fills in 0, and no place is 0.
        y, x = y.masked_fill(y == 0, NOWHERE), x.masked_fill(x == 0, NOWHERE)
    return Places(y, x, first.origin) if tuple(y.shape) == node.shape else None


def _reshape(tensor: Tensor, *shape: Any, **keywords: Any) -> Tensor:
    return tensor.reshape(*shape, **keywords)


_COPYING: dict[str, Callable[..., Any]] = {
    "view": _reshape,
    "_unsafe_view": _reshape,
    "_reshape_alias": lambda tensor, shape, stride: tensor.reshape(shape),
}
"""Stretched places cannot always be viewed as the network viewed its numbers."""


def _like(name: str, node: Node, first: Places) -> Places:
    if name == "expand_as":
        return first.each(lambda each: each.expand(node.shape))
    return first.each(lambda each: each.reshape(node.shape))


def _padded(node: Node, first: Places) -> Places | None:
    sides = node.arguments[1]
    mode = node.arguments[2] if node.name == "pad" and len(node.arguments) > 2 else "constant"
    mode = node.keywords.get("mode", mode)
    if mode != "constant":
        return first.each(lambda each: torch.nn.functional.pad(each, sides, mode=mode))
    y, x = (
        torch.nn.functional.pad(each, sides, value=value)
        for each, value in ((first.y, NOWHERE), (first.x, BEYOND))
    )
    return Places(y, x, first.origin)


def _tokenwise(node: Node, first: Places) -> Places | None:
    shape = node.shape
    if first.y.dim() != len(shape) or first.y.shape[:-1] != shape[:-1]:
        return None
    keeps = node.name in ("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm")
    if keeps and tuple(first.y.shape) == shape:
        return first
    return first.each(lambda each: each.mean(dim=-1, keepdim=True).expand(shape))


def _stretched(places: Places, shape: tuple[int, ...]) -> Places:
    return places.each(lambda each: each.expand(shape))


def _summed(node: Node, first: Places) -> Places | None:
    """Return the places of what was summed over axes along which places do not change."""
    axes = axes_of(node.arguments, node.keywords, len(first.y.shape))
    if not axes or any(varies(each, axis) for each in (first.y, first.x) for axis in axes):
        return None
    keeps = len(node.shape) == first.y.dim()
    index = tuple(
        slice(None) if axis not in axes else slice(0, 1) if keeps else 0
        for axis in range(first.y.dim())
    )
    made = first.each(lambda each: each[index])
    return made if tuple(made.y.shape) == node.shape else None


def _pooled(node: Node, first: Places) -> Places | None:
    """Return the middles of groups of tokens, where several groups are left."""
    axes = axes_of(node.arguments, node.keywords, len(first.y.shape))
    if not axes or any(bool(each.isnan().any()) for each in (first.y, first.x)):
        return None
    keeps = len(node.shape) == first.y.dim()
    made = first.each(lambda each: each.mean(dim=axes, keepdim=keeps))
    left = any(varies(each, axis) for each in (made.y, made.x) for axis in range(made.y.dim()))
    return made if left and tuple(made.y.shape) == node.shape else None


def axes_of(arguments: Sequence[Any], keywords: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """Return the axes, from 0, that an operator sums over; none where these are all."""
    given = arguments[1] if len(arguments) > 1 else keywords.get("dim")
    if isinstance(given, (Node, Tensor)):
        return ()
    listed = [given] if isinstance(given, int) else list(given or ())
    return tuple(sorted({axis % rank for axis in listed}))


def _complex(name: str, first: Places) -> Places:
    if name == "view_as_complex":
        return first.each(lambda each: each[..., 0])
    return first.each(lambda each: each.unsqueeze(-1).expand(*each.shape, 2))


def _whole(node: Node, parents: list[Node], known: list[Places | None]) -> Places | None:
    """Return the places of what was computed number by number: those of the widest operand."""
    best = None
    for parent, places in zip(parents, known, strict=True):
        if places is None or len(parent.shape) > len(node.shape):
            continue
        if parent.shape == node.shape and not places.y.isnan().all():
            return places
        best = best or places
    if best is None:
        return None
    try:
        return best.each(lambda each: each.expand(node.shape))
    except RuntimeError:
        return None


def _compact(places: Places | None) -> Places | None:
    """Return places without numbers that are all alike along an axis."""
    return None if places is None else places.each(narrowed)
