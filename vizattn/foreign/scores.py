"""A tensor of weights as what made it: a product of two thin tensors, and steps on its rows.

The tensor has one axis for each factor's tokens, wherever the network moved them. Every step can be
done again on a cut, a few indices of one of these axes with the whole of the other, so that a row
comes out of the same operators that made the whole, in memory O(N).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from vizattn.foreign.graph import Node, broadcast, mapped
from vizattn.foreign.keeping import Keeper, Kept
from vizattn.foreign.operators import operator

LEFT, RIGHT = 0, 1
Shape = tuple[int, ...]


class Lost(Exception):
    """A row cannot be computed through this step."""


@dataclass(frozen=True)
class Stage:
    """A shape in which the tokens of both factors have an axis of their own.

    Args:
        shape: of the whole tensor.
        axes: the left factor's axis and the right one's, from 0.
    """

    shape: Shape
    axes: tuple[int, int]

    def cut(self, side: int, count: int) -> list[int]:
        """Return the shape with some tokens of one factor."""
        shape = list(self.shape)
        shape[self.axes[side]] = count
        return shape

    def pick(self, tensor: Tensor, side: int, index: Int[Tensor, " n"]) -> Tensor:
        """Return what of a tensor that is stretched to this shape belongs to some tokens."""
        axis = self.axes[side] - (len(self.shape) - tensor.dim())
        if axis < 0 or tensor.shape[axis] == 1:
            return tensor
        return tensor.index_select(axis, index.to(tensor.device))


@dataclass(frozen=True)
class Step:
    """One operator between the product and the weights.

    Args:
        function: the operator.
        arguments: its arguments; the tensor itself is ``ITSELF``, other tensors are ``Kept``.
        keywords: likewise.
        before: what it takes.
        after: what it makes.
        moves: whether it only moves numbers.
        whole: the axis of which it needs everything at once; None where there is none.
        scales: whether it only multiplies by a number.
    """

    function: Callable[..., Any]
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    before: Stage
    after: Stage
    moves: bool = False
    whole: int | None = None
    scales: bool = False

    def again(self, x: Tensor, side: int, index: Int[Tensor, " n"]) -> Tensor:
        """Return the step's result for some tokens of one factor; raises Lost."""
        if self.whole is not None and self.whole == self.before.axes[side]:
            raise Lost

        def given(leaf: Any) -> Any:
            if leaf is ITSELF:
                return x
            if not isinstance(leaf, Kept):
                return leaf
            return self.after.pick(leaf.tensor, side, index).to(x.device)

        arguments, keywords = mapped((list(self.arguments), dict(self.keywords)), given)
        result: Tensor = self.function(*arguments, **keywords)
        return result


@dataclass(frozen=True)
class Reshape(Step):
    """A step that gives the numbers another shape, in their order."""

    def again(self, x: Tensor, side: int, index: Int[Tensor, " n"]) -> Tensor:
        return x.reshape(self.after.cut(side, x.shape[self.before.axes[side]]))


@dataclass(frozen=True)
class Expand(Step):
    """A step that stretches axes of length 1."""

    def again(self, x: Tensor, side: int, index: Int[Tensor, " n"]) -> Tensor:
        return x.expand(self.after.cut(side, x.shape[self.before.axes[side]]))


@dataclass(frozen=True)
class Causal(Step):
    """A mask that lets token i hear the tokens up to i."""

    def again(self, x: Tensor, side: int, index: Int[Tensor, " n"]) -> Tensor:
        index = index.to(x.device)
        others = torch.arange(self.after.shape[self.after.axes[1 - side]], device=x.device)
        if side == LEFT:
            return x.masked_fill(others > index[:, None], -math.inf)
        return x.masked_fill(index > others[:, None], -math.inf)


ITSELF = object()
"""stands for the tensor itself among the arguments of a step"""


@dataclass(frozen=True)
class Factor:
    """One side of a product.

    Args:
        kept: (..., left token, dim) or (..., dim, right token).
        node: of the tensor that the network gave to the operator.
        view: makes the factor's axes from that tensor's.
    """

    kept: Kept
    node: Node
    view: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scores:
    """A tensor as the steps that made it from a product over the last and the first but one axis.

    Args:
        left: the left factor.
        right: the right one.
        steps: what happened to their product, in order.
        stage: where the tokens are now.
        exactly: whether the product is computed in single precision where the factors have half:
            fused operators do that inside.
    """

    left: Factor
    right: Factor
    steps: tuple[Step, ...]
    stage: Stage
    exactly: bool = False

    @classmethod
    def product(cls, left: Factor, right: Factor, exactly: bool = False) -> Scores:
        """Return the plain product of two factors."""
        one, other = left.kept.shape, right.kept.shape
        lead = broadcast(one[:-2], other[:-2])
        stage = Stage((*lead, one[-2], other[-1]), (len(lead), len(lead) + 1))
        return cls(left, right, (), stage, exactly)

    @property
    def bare(self) -> bool:
        """Return whether nothing but moves and factors came after the product."""
        return all(step.moves or step.scales for step in self.steps)

    def then(self, step: Step) -> Scores:
        """Return what comes out of one more step."""
        return replace(self, steps=(*self.steps, step), stage=step.after)

    def settled(self, keeper: Keeper) -> Scores:
        """Return the same with everything kept apart from the network."""

        def settle(leaf: Any) -> Any:
            return keeper.settle(leaf) if isinstance(leaf, Kept) else leaf

        steps = []
        for step in self.steps:
            arguments, keywords = mapped((list(step.arguments), dict(step.keywords)), settle)
            steps.append(replace(step, arguments=arguments, keywords=keywords))
        left, right = (
            replace(each, kept=keeper.settle(each.kept)) for each in (self.left, self.right)
        )
        return replace(self, left=left, right=right, steps=tuple(steps))

    def cut(self, side: int, index: Int[Tensor, " n"]) -> Tensor:
        """Return the tensor for some tokens of one factor and all of the other; raises Lost."""
        left, right = self.left.kept.tensor, self.right.kept.tensor
        if side == LEFT:
            left = left.index_select(-2, index.to(left.device))
        else:
            right = right.index_select(-1, index.to(right.device))
        if self.exactly:
            left, right = left.float(), right.float()
        x = left @ right.to(left.device)
        for step in self.steps:
            x = step.again(x, side, index)
        return x

    def moved(self, x: Tensor, side: int) -> Tensor:
        """Return where the steps move what belongs to one factor's tokens.

        Args:
            x: (..., left token, 1) or (..., 1, right token), of the product's shape but for this.
            side: which of both it belongs to.
        """
        one = torch.zeros(1, dtype=torch.long)
        for step in self.steps:
            if step.moves:
                x = step.again(x, 1 - side, one)
        return x


def reshaped(stage: Stage, shape: Sequence[int]) -> Stage | None:
    """Return where the tokens are in another shape of as many numbers; None if they are mixed."""
    axes = []
    for axis in stage.axes:
        found = _same_axis(stage.shape, axis, shape)
        if found is None:
            return None
        axes.append(found)
    return Stage(tuple(shape), (axes[0], axes[1]))


def _same_axis(old: Sequence[int], axis: int, new: Sequence[int]) -> int | None:
    before, length = math.prod(old[:axis]), old[axis]
    return next(
        (i for i, n in enumerate(new) if n == length and math.prod(new[:i]) == before), None
    )


def permuted(stage: Stage, order: Sequence[int]) -> Stage:
    """Return where the tokens are when axis i of the result is axis order[i]."""
    shape = tuple(stage.shape[axis] for axis in order)
    left, right = (list(order).index(axis) for axis in stage.axes)
    return Stage(shape, (left, right))


def stretched(stage: Stage, shape: Sequence[int]) -> Stage:
    """Return where the tokens are in a shape to which theirs is stretched."""
    more = len(shape) - len(stage.shape)
    return Stage(tuple(shape), (stage.axes[0] + more, stage.axes[1] + more))


def arguments_of(
    function: Any, arguments: Any, keywords: Any, itself: Tensor, keeper: Keeper
) -> tuple[list[Any], dict[str, Any]]:
    """Return an operator's arguments as a step has them."""

    def kept(leaf: Any) -> Any:
        if leaf is itself:
            return ITSELF
        return keeper.keep(leaf) if isinstance(leaf, Tensor) else leaf

    changed = mapped((list(arguments), dict(keywords)), kept)
    return changed[0], changed[1]


def plain(function: Any) -> Any:
    """Return the operator that writes into nothing and computes the same."""
    if not operator(function).written:
        return function
    name = operator(function).name
    packet = getattr(torch.ops.aten, name, None)
    overload = getattr(packet, function._overloadname, None) if packet is not None else None
    if overload is None:
        raise Lost
    return overload
