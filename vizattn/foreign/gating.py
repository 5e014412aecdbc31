"""Gates: weights that multiply a feature map, number by number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.events import Gated, apart, roughness
from vizattn.foreign.graph import Node, broadcast
from vizattn.foreign.hearing import Hearing, Mark, Weighed
from vizattn.foreign.marks import ACTIVATIONS, CUTS
from vizattn.foreign.operators import Operator, operator

QUOTIENTS = {"div", "divide", "true_divide"}
PRODUCTS = {"mul", "multiply", "addcmul"} | QUOTIENTS
_NEARLY_ONE = 1.01
"""what numbers such as 0.1667 for a sixth come to"""
_LEAST_AXES = 3
"""axes of what can be a feature map or its tokens: a gate of a mere vector has no picture"""
_FURTHEST = 40
"""operators on single numbers that an activation function is at most made of"""


@dataclass(frozen=True)
class Prepared:
    """A gate and what it is about to multiply, before that is written over.

    Args:
        gate: as the network has it, possibly stretched.
        features: what it multiplies.
        node: of the features.
        mark: what made the gate.
        also: what made the features, where these may be weights, too.
    """

    gate: Tensor
    features: Tensor
    node: Node
    mark: Mark
    also: Mark | None


def prepare(hearing: Hearing, about: Operator, arguments: Any) -> Prepared | None:
    """Return the gate and the features of a product that is about to happen, if it is one."""
    pair = arguments[1:3] if about.name == "addcmul" else arguments[:2]
    if len(pair) < 2 or not all(isinstance(each, Tensor) for each in pair):
        return None
    if about.name in QUOTIENTS:
        offered = _quotient(hearing, *pair)
    else:
        offered = [(one, _mark(hearing, one, two), two) for one, two in (pair, pair[::-1])]
    for gate, mark, features in offered:
        found = None if mark is None else prepare_pair(hearing, (gate, features), mark)
        if found is not None and about.written:
            hearing.keeper.keep(features)
            return replace(found, features=features.clone())
        if found is not None:
            return found
    return None


def prepare_pair(hearing: Hearing, pair: tuple[Tensor, Tensor], mark: Mark) -> Prepared | None:
    """Return a gate and features, if that is what they are."""
    gate, features = pair
    if not hearing.graph.active(features) or not _are_features(hearing, gate, features):
        return None
    node, also = hearing.graph.node(features), hearing.marks.get(features)
    if not _covers(features, gate):
        # One vector for all places, as a sum over all of them, is gated anew at each place.
        wide = mark.made in ACTIVATIONS and gate not in hearing.scores and _covers(gate, features)
        if not wide or also is not None:
            return None
        features, also = features.expand(gate.shape), mark
    # An activation function of the features themselves, such as x · sigmoid(x), is no gate.
    if _same_numbers(hearing.graph.node(gate), node):
        return None
    if features.dim() < _LEAST_AXES:
        hearing.miss(f"{mark.made}(…) · x", "gate_vector")
        return None
    return Prepared(gate, features, node, mark, also)


def _mark(hearing: Hearing, gate: Tensor, features: Tensor) -> Mark | None:
    """Return what made a gate, of what is merely positive only where it is stretched."""
    mark: Mark | None = hearing.marks.get(gate)
    if mark is not None and mark.made in CUTS and mark.most > _NEARLY_ONE:
        # Cut off at 6 it is an activation; divided by 6, or stretched, it is a gate.
        return mark if _is_stretched(gate, features) else None
    if mark is not None:
        return mark
    mark = hearing.positives.get(gate)
    stretched = mark is not None and _is_stretched(gate, features)
    return mark if stretched and bool((_narrow(gate) >= 0).all()) else None


def _quotient(
    hearing: Hearing, features: Tensor, divisor: Tensor
) -> list[tuple[Tensor, Mark | None, Tensor]]:
    """Return the gate 1 / (1 + exp(-g)), where that is what features are divided by."""
    mark: Mark | None = hearing.positives.get(divisor)
    if mark is None or not mark.made.startswith("exp") or features in hearing.positives:
        return []
    gate = divisor.reciprocal()
    low, high = (each.item() for each in torch.aminmax(gate.float()))
    if not 0 <= low <= high <= 1:
        return []
    hearing.graph.place(gate, hearing.graph.node(divisor))
    return [(gate, mark, features)]


def _is_stretched(gate: Tensor, features: Tensor) -> bool:
    """Return whether a gate is alike along an axis along which features are not."""
    wide = tuple(_narrow(features).shape)
    own = (1,) * (len(wide) - gate.dim()) + tuple(_narrow(gate).shape)
    return any(one == 1 < other for one, other in zip(own, wide, strict=False))


def _are_features(hearing: Hearing, gate: Tensor, features: Tensor) -> bool:
    """Return whether what a gate multiplies are no weights themselves, or may be features too."""
    mark: Mark | None = hearing.marks.get(features)
    if mark is None:
        return True
    rows = features in hearing.scores or mark.made not in ACTIVATIONS
    return not rows and _is_stretched(gate, features)


def _covers(features: Tensor, gate: Tensor) -> bool:
    return broadcast(features.shape, gate.shape) == tuple(features.shape) and gate.numel() > 1


def _same_numbers(gate: Node, features: Node) -> bool:
    """Return whether a gate came from the features by operators on single numbers alone."""
    made_of, came_from = _origins(gate), _origins(features)
    known = {id(each) for each in (*came_from, features)}
    return gate.shape == features.shape and all(id(each) in known for each in made_of)


def _origins(node: Node) -> list[Node]:
    """Return what a tensor came from by operators on single numbers, of its own shape."""
    found, pending, seen = [], [node], {id(node)}
    while pending:
        current = pending.pop()
        parents = [each for each in current.parents() if each.active]
        inner = current.function is not None and operator(current.function).pointwise
        if not inner or len(seen) > _FURTHEST or any(p.shape != node.shape for p in parents):
            found.append(current)
            continue
        pending += [each for each in parents if id(each) not in seen]
        seen |= {id(each) for each in parents}
    return found


def hear(
    hearing: Hearing, call: Any, result: Any, prepared: Prepared
) -> tuple[Weighed | None, Mark | None]:
    """Note a gate, checked against the product that the network made with it.

    Returns what the result is, where it is this product and nothing else, and its mark, where it
    may be weights again.
    """
    function, arguments, keywords = call
    gate, features = _narrow(prepared.gate), prepared.features
    product = result
    if operator(function).name == "addcmul":
        product = (result - arguments[0]) / keywords.get("value", 1)
    event = noted(hearing, prepared, apart(gate * features, product))
    if product is not result:
        return None, None
    also = prepared.also
    mark = None if also is None else replace(also, within=(*also.within, event))
    return Weighed((event,), prepared.mark), mark


def noted(hearing: Hearing, prepared: Prepared, worst: float) -> Gated:
    """Note a gate and return it.

    Args:
        hearing: where it is noted.
        prepared: the gate with what it multiplies.
        worst: as of ``Gated``.
    """
    hearing.drop(prepared.mark.within)
    path, module = hearing.where()
    keep, settle = hearing.keeper.keep, hearing.keeper.settle
    event = Gated(
        path=path,
        module=module,
        gate=settle(keep(_narrow(prepared.gate))),
        features=settle(keep(prepared.features)),
        node=prepared.node,
        own=hearing.graph.node(prepared.gate),
        made=prepared.mark.made,
        worst=worst,
        rough=roughness(prepared.features),
        recipe=f"{prepared.mark.made}(…) · x",
    )
    hearing.events.append(event)
    return event


def _narrow(gate: Tensor) -> Tensor:
    """Return a gate with axes of length 1 where it is stretched."""
    return gate[tuple(slice(0, 1) if s == 0 else slice(None) for s in gate.stride())]
