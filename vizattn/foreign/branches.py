"""Gates of branches: products with weights of one making that a network adds up.

Selective kernels (Li et al. 2019, eq. 6) and split attention (Zhang et al. 2020, eq. 1) multiply
each branch by its share of a softmax over branches, and sum over these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.events import Gated, apart
from vizattn.foreign.gating import noted, prepare_pair
from vizattn.foreign.hearing import Hearing, Weighed
from vizattn.foreign.lettered import spelled_out
from vizattn.foreign.places import Follower, axes_of

Branch = tuple[Tensor, Tensor]
"""a gate and what it multiplies, with as many axes"""


def _summed(hearing: Hearing, call: Any, result: Tensor) -> Weighed | None:
    """Hear a sum over an axis of branches, of one product or of several that were stacked."""
    _, arguments, keywords = call
    weighed: Weighed | None = hearing.products.get(arguments[0])
    axes = axes_of(arguments, keywords, arguments[0].dim())
    if weighed is None or len(axes) != 1:
        return None
    (axis,) = axes
    flat = result.dim() < arguments[0].dim()
    if weighed.axis is not None:
        branches = [_branch(each) for each in weighed.events]
        return _join(hearing, weighed, branches, result) if axis == weighed.axis and flat else None
    if len(weighed.events) > 1 or not _are_branches(weighed.events[0], axis):
        return None
    gate, features = _branch(weighed.events[0])
    if gate.shape[axis] < 2:
        return None
    cut = [each.unbind(axis) if flat else each.split(1, axis) for each in (gate, features)]
    return _join(hearing, weighed, list(zip(*cut, strict=True)), result)


def _added(hearing: Hearing, call: Any, result: Tensor) -> Weighed | None:
    """Hear the sum of two branches, or of what was summed before and one more."""
    _, arguments, keywords = call
    given = [hearing.products.get(each) for each in arguments if isinstance(each, Tensor)]
    known = [each for each in given if each is not None and each.axis is None]
    if len(known) == 1 and any(isinstance(each, int) and each == 0 for each in arguments):
        # Python's sum begins with 0.
        return known[0]
    if len(known) != 2 or keywords.get("alpha", 1) != 1 or known[0].mark is not known[1].mark:
        return None
    events = (*known[0].events, *known[1].events)
    if len({each.features.shape for each in events}) > 1:
        return None
    branches = [_branch(each) for each in events]
    # The same weights twice are no shares of two branches.
    same = any(torch.equal(gate, branches[-1][0]) for gate, _ in branches[:-1])
    if same or not all(_are_branches(each) for each in events):
        return None
    for each in known:
        hearing.drop((each.joined,) if each.joined is not None else ())
    return _join(hearing, replace(known[0], events=events), branches, result)


def _stacked(hearing: Hearing, call: Any, result: Tensor) -> Weighed | None:
    """Remember products that are put side by side before they are summed."""
    _, arguments, keywords = call
    given: list[Weighed | None] = [hearing.products.get(each) for each in arguments[0]]
    known = [each for each in given if each is not None and len(each.events) == 1]
    if len(known) < max(2, len(given)) or len({id(each.mark) for each in known}) > 1:
        return None
    axis = arguments[1] if len(arguments) > 1 else keywords.get("dim", 0)
    events = tuple(each.events[0] for each in known)
    if not all(_are_branches(each) for each in events):
        return None
    return Weighed(events, known[0].mark, axis % result.dim())


def _einsum(hearing: Hearing, call: Any, result: Tensor) -> Weighed | None:
    """Hear features times a gate that has some of their axes, and sums of branches among these."""
    equation, operands = call[1][:2]
    spelled = spelled_out(str(equation), [each.dim() for each in operands])
    if spelled is None or len(operands) != 2:
        return None
    labels, kept = spelled
    for one, other in ((0, 1), (1, 0)):
        gate, axes, own = operands[one], labels[one], labels[other]
        mark = hearing.marks.get(gate)
        if mark is None or not set(axes) <= set(own) or len(set(own)) < len(own):
            continue
        shape = [gate.shape[axes.index(label)] if label in axes else 1 for label in own]
        ordered = gate.permute([axes.index(label) for label in own if label in axes])
        wide = ordered.reshape(shape)
        prepared = prepare_pair(hearing, (wide, operands[other]), mark)
        gone = [label for label in own if label not in kept]
        if prepared is None or len(gone) > 1 or [n for n in own if n not in gone] != list(kept):
            continue
        product = wide * operands[other]
        if not gone:
            event = noted(hearing, prepared, apart(product, result))
            return Weighed((event,), mark)
        axis = own.index(gone[0])
        event = noted(hearing, prepared, apart(product.sum(axis), result))
        if shape[axis] > 1 and _are_branches(event, axis):
            cut = [each.unbind(axis) for each in _branch(event)]
            return _join(hearing, Weighed((event,), mark), list(zip(*cut, strict=True)), result)
        return None
    return None


def _branch(event: Gated) -> Branch:
    gate, features = event.gate.tensor, event.features.tensor
    return gate.reshape((1,) * (features.dim() - gate.dim()) + tuple(gate.shape)), features


def _are_branches(event: Gated, axis: int | None = None) -> bool:
    """Return whether a gate is alike at all places, and its features have channels besides an axis.

    A sum over places that are weighed, or over channels, is no sum of branches.
    """
    gate, features = _branch(event)
    follower = Follower()
    places = [each for each in range(gate.dim()) if follower.varies(event.node, _itself, each)]
    others = [each for each in range(gate.dim()) if each not in places and each != axis]
    wide = any(features.shape[each] > 1 for each in others)
    return wide and axis not in places and all(gate.shape[each] == 1 for each in places)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def _join(hearing: Hearing, weighed: Weighed, branches: list[Branch], result: Tensor) -> Weighed:
    """Put one event in the place of those of its branches, checked against their sum."""
    first, keep, settle = weighed.events[0], hearing.keeper.keep, hearing.keeper.settle
    again = torch.stack([gate * features for gate, features in branches]).sum(dim=0)
    joined = replace(
        first,
        gate=settle(keep(torch.stack([gate for gate, _ in branches]))),
        features=settle(keep(result)),
        node=hearing.graph.node(result),
        worst=max(apart(again, result), *(each.worst for each in weighed.events)),
        recipe=f"Σ {first.made}(…)_b · x_b",
        branches=True,
    )
    hearing.drop(weighed.events)
    hearing.events.append(joined)
    return replace(weighed, axis=None, joined=joined)


HEARD: dict[str, Callable[[Hearing, Any, Any], Weighed | None]] = {
    "sum": _summed,
    "add": _added,
    "stack": _stacked,
    "einsum": _einsum,
}
"""by operator, what hears it after it was recorded; it returns what the result is"""
