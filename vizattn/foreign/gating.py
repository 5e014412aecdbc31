"""Gates: weights that multiply a feature map, number by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vizattn.foreign.events import Gated, apart, roughness
from vizattn.foreign.graph import Node, broadcast
from vizattn.foreign.hearing import Hearing, Mark, Weighed
from vizattn.foreign.operators import Operator, operator

PRODUCTS = {"mul", "multiply", "addcmul"}
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
    """

    gate: Tensor
    features: Tensor
    node: Node
    mark: Mark


def prepare(hearing: Hearing, about: Operator, arguments: Any) -> Prepared | None:
    """Return the gate and the features of a product that is about to happen, if it is one."""
    pair = arguments[1:3] if about.name == "addcmul" else arguments[:2]
    if len(pair) < 2 or not all(isinstance(each, Tensor) for each in pair):
        return None
    for gate, features in (pair, (pair[1], pair[0])):
        mark: Mark | None = hearing.marks.get(gate)
        if mark is None or features in hearing.marks or not hearing.graph.active(features):
            continue
        if features.dim() < _LEAST_AXES or not _covers(features, gate):
            continue
        node = hearing.graph.node(features)
        if _same_numbers(hearing.graph.node(gate), node):
            # An activation function of the features themselves, such as x · sigmoid(x).
            continue
        if about.written:
            hearing.keeper.keep(features)
            features = features.clone()
        return Prepared(gate, features, node, mark)
    return None


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


def hear(hearing: Hearing, call: Any, result: Any, prepared: Prepared) -> Weighed | None:
    """Note a gate, checked against the product that the network made with it.

    Returns what the result is, where it is this product and nothing else.
    """
    function, arguments, keywords = call
    gate, features = _narrow(prepared.gate), prepared.features
    product = result
    if operator(function).name == "addcmul":
        product = (result - arguments[0]) / keywords.get("value", 1)
    path, module = hearing.where()
    keep, settle = hearing.keeper.keep, hearing.keeper.settle
    event = Gated(
        path=path,
        module=module,
        gate=settle(keep(gate)),
        features=settle(keep(features)),
        node=prepared.node,
        made=prepared.mark.made,
        worst=apart(gate * features, product),
        rough=roughness(result),
        recipe=f"{prepared.mark.made}(…) · x",
    )
    hearing.events.append(event)
    return Weighed((event,), prepared.mark) if product is result else None


def _narrow(gate: Tensor) -> Tensor:
    """Return a gate with axes of length 1 where it is stretched."""
    return gate[tuple(slice(0, 1) if s == 0 else slice(None) for s in gate.stride())]
