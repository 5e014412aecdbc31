"""q (kᵀ v): a network that sums over places first. It is (q kᵀ) v, with rows over places."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vizattn.foreign.events import Attended, Carried, Side, Told, apart, roughness, spread_indices
from vizattn.foreign.graph import broadcast
from vizattn.foreign.hearing import Hearing
from vizattn.foreign.places import Follower
from vizattn.foreign.products import Product
from vizattn.foreign.scores import LEFT, RIGHT, Scores, Stage


def carried(
    hearing: Hearing, scores: Scores, outer: int, position: int, product: Product, result: Tensor
) -> bool:
    """Note the rows of a product with a sum over places; returns whether it was one.

    Args:
        hearing: where it is noted.
        scores: the sum over places, a product of (channel, place) and (place, other channel).
        outer: the side of ``scores`` that stays in the result.
        position: which operand of ``product`` the sum is.
        product: the second product, which contracts the other side.
        result: what comes out.
    """
    if not scores.bare or not _in_order(scores, product.views[position]):
        return False
    summed = scores.left if outer == RIGHT else scores.right
    values = scores.right if outer == RIGHT else scores.left
    places = -1 if outer == RIGHT else -2
    if not Follower().varies(summed.node, summed.view, places):
        return False
    give, held = summed.kept.tensor, values.kept.tensor
    if outer == LEFT:
        give, held = give.transpose(-2, -1), held.transpose(-2, -1)
    asked, view = product.operands[1 - position], product.views[1 - position]
    take = view(asked)
    if position == LEFT:
        take = take.transpose(-2, -1)
    lead = broadcast(take.shape[:-2], give.shape[:-2])
    shape = (*lead, take.shape[-2], give.shape[-1])
    stage = Stage(tuple(shape), (len(shape) - 2, len(shape) - 1))
    keep = hearing.keeper.keep
    weights = Carried(keep(take), keep(give), _factor(scores), stage)
    index = spread_indices(take.shape[-2])
    rows = weights.cut(LEFT, index)
    axes = (product.placed[1 - position], product.placed[position])
    wanted = result.index_select(axes[0], index.to(result.device)).movedim(axes, (-2, -1))
    path, module = hearing.where()
    hearing.events.append(
        Attended(
            path=path,
            module=module,
            weights=weights.settled(hearing.keeper),
            query=LEFT,
            sides=(
                Side(hearing.graph.node(asked), view, -1 if position == LEFT else -2),
                Side(summed.node, summed.view, places),
            ),
            normalised="",
            worst=apart(rows @ held, wanted),
            rough=roughness(result),
            told=Told.by(rows),
            recipe="q (kᵀ v)",
        )
    )
    return True


def _in_order(scores: Scores, view: Callable[[Tensor], Tensor]) -> bool:
    """Return whether entries (heads...) are in one order in a product and where it is used again.

    Args:
        scores: the product, possibly with its axes moved.
        view: makes (..., left token, right token) from it, in either order of the two.
    """
    if any(step.whole is not None for step in scores.steps):
        return False
    first = scores.steps[0].before if scores.steps else scores.stage
    lead = [length for axis, length in enumerate(first.shape) if axis not in first.axes]
    numbers = torch.arange(math.prod(lead)).view(*lead, 1, 1)
    tokens = scores.left.kept.shape[-2]
    moved = scores.moved(numbers.expand(*lead, tokens, 1), LEFT).expand(scores.stage.shape)
    return torch.equal(view(moved)[..., 0, 0], numbers[..., 0, 0])


def _factor(scores: Scores) -> float:
    """Return the number by which steps that only scale multiply."""
    x = torch.ones(())
    for step in scores.steps:
        if step.scales:
            x = step.again(x, LEFT, torch.zeros(1, dtype=torch.long))
    return float(x)
