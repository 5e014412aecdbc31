"""Gates: weights that multiply a feature map, number by number."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    if features in hearing.marks or not hearing.graph.active(features):
        return None
    if features.dim() < _LEAST_AXES or not _covers(features, gate):
        return None
    node = hearing.graph.node(features)
    # An activation function of the features themselves, such as x · sigmoid(x), is no gate.
    return (
        None
        if _same_numbers(hearing.graph.node(gate), node)
        else Prepared(gate, features, node, mark)
    )


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
    event = noted(hearing, prepared, apart(gate * features, product))
    return Weighed((event,), prepared.mark) if product is result else None


def noted(hearing: Hearing, prepared: Prepared, worst: float) -> Gated:
    """Note a gate and return it.

    Args:
        hearing: where it is noted.
        prepared: the gate with what it multiplies.
        worst: as of ``Gated``.
    """
    path, module = hearing.where()
    keep, settle = hearing.keeper.keep, hearing.keeper.settle
    event = Gated(
        path=path,
        module=module,
        gate=settle(keep(_narrow(prepared.gate))),
        features=settle(keep(prepared.features)),
        node=prepared.node,
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
