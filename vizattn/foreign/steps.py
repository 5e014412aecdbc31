"""Which operators a tensor of scores can be followed through, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.graph import tensors_of
from vizattn.foreign.keeping import Keeper
from vizattn.foreign.operators import operator
from vizattn.foreign.scores import (
    ITSELF,
    Expand,
    Lost,
    Reshape,
    Scores,
    Stage,
    Step,
    arguments_of,
    permuted,
    plain,
    reshaped,
    stretched,
)

RESHAPES = {
    "view",
    "reshape",
    "_unsafe_view",
    "_reshape_alias",
    "flatten",
    "unflatten",
    "unsqueeze",
    "squeeze",
    "view_as",
    "reshape_as",
    "atleast_3d",
}
PERMUTES = {
    "permute",
    "transpose",
    "t",
    "movedim",
    "moveaxis",
    "swapaxes",
    "swapdims",
    "mT",
    "mH",
    "numpy_T",
    "adjoint",
}
EXPANDS = {"expand", "expand_as", "broadcast_to"}
PARTS = {
    "slice",
    "narrow",
    "select",
    "split",
    "split_with_sizes",
    "chunk",
    "unbind",
    "tensor_split",
}
ROWWISE = {"softmax", "_softmax", "log_softmax", "_log_softmax", "_safe_softmax"}
_SCALES = {"mul", "div", "neg", "multiply", "divide", "true_divide"}

Call = tuple[Any, Any, Any]
"""an operator, its arguments and its keywords"""


def followed(
    scores: Scores, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Scores | None:
    """Return a tensor of scores after one more operator; None where they cannot be followed.

    Args:
        scores: what the tensor was before.
        itself: the tensor before.
        call: the operator with what it is given.
        result: what it returns.
        part: which of several results that is.
        keeper: keeps other tensors that take part.
    """
    about = operator(call[0])
    if about.library != "aten":
        return None
    if about.pointwise:
        make: Callable[..., Step | None] = _pointwise
    else:
        make = _MAKERS.get(about.name, _nothing)
    try:
        step = make(scores.stage, itself, call, result, part, keeper)
    except Lost:
        return None
    return None if step is None else scores.then(step)


def _nothing(*given: Any) -> None:
    return None


def _reshape(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step | None:
    after = reshaped(stage, result.shape)
    return None if after is None else Reshape(call[0], (), {}, stage, after, moves=True)


def _permute(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step:
    # Axes of different lengths tell where each of them goes.
    marked = torch.empty(tuple(range(1, len(stage.shape) + 1)), device="meta")
    function, arguments, keywords = call
    order = [length - 1 for length in function(marked, *arguments[1:], **keywords).shape]
    after = permuted(stage, order)
    return Step(torch.permute, (ITSELF, order), {}, stage, after, moves=True)


def _expand(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step:
    after = stretched(stage, result.shape)
    return Expand(call[0], (), {}, stage, after, moves=True)


def _pointwise(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step | None:
    function, arguments, keywords = call
    about = operator(function)
    if about.name in ("copy", "fill", "zero") or (arguments[0] is not itself and about.written):
        return None
    if about.name == "native_dropout":
        return None
    given = arguments_of(plain(function), arguments, keywords, itself, keeper)
    others = len(tensors_of((arguments, keywords))) - 1
    constant = others == 0 or all(
        each.numel() == 1 for each in tensors_of((arguments, keywords)) if each is not itself
    )
    return Step(
        plain(function),
        *given,
        stage,
        stretched(stage, result.shape),
        scales=(constant and about.name in _SCALES) or about.name in _UNCHANGING,
    )


_UNCHANGING = {"contiguous", "clone", "detach", "alias", "dropout", "to", "_to_copy", "lift_fresh"}


def _rowwise(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step:
    function, arguments, keywords = call
    dim = arguments[1] if len(arguments) > 1 else keywords["dim"]
    given = arguments_of(function, arguments, keywords, itself, keeper)
    return Step(function, *given, stage, stage, whole=dim % len(stage.shape))


def _part(
    stage: Stage, itself: Tensor, call: Call, result: Tensor, part: int | None, keeper: Keeper
) -> Step | None:
    function, arguments, keywords = call
    dim = _dimension(operator(function).name, arguments, keywords) % len(stage.shape)
    after = _after_part(stage, dim, result)
    if after is None:
        return None
    given = arguments_of(function, arguments, keywords, itself, keeper)
    again = function if part is None else partial(_one_of, function, part)
    return Step(again, *given, stage, after, moves=True, whole=dim)


def _one_of(function: Any, part: int, *arguments: Any, **keywords: Any) -> Any:
    return function(*arguments, **keywords)[part]


def _dimension(name: str, arguments: Any, keywords: Any) -> int:
    if "dim" in keywords:
        return int(keywords["dim"])
    position = 2 if name in ("split", "split_with_sizes", "chunk", "tensor_split") else 1
    return int(arguments[position]) if len(arguments) > position else 0


def _after_part(stage: Stage, dim: int, result: Tensor) -> Stage | None:
    if result.dim() == len(stage.shape):
        return Stage(tuple(result.shape), stage.axes)
    if dim in stage.axes:
        return None
    left, right = (axis - (axis > dim) for axis in stage.axes)
    return Stage(tuple(result.shape), (left, right))


_MAKERS: dict[str, Callable[..., Step | None]] = (
    dict.fromkeys(RESHAPES, _reshape)
    | dict.fromkeys(PERMUTES, _permute)
    | dict.fromkeys(EXPANDS, _expand)
    | dict.fromkeys(ROWWISE, _rowwise)
    | dict.fromkeys(PARTS, _part)
)
