"""Tensors that came out of a function that makes weights: they may be a gate, or rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.graph import tensors_of
from vizattn.foreign.hearing import Hearing, Mark
from vizattn.foreign.operators import operator
from vizattn.foreign.steps import EXPANDS, PARTS, PERMUTES, RESHAPES

SQUASHES = {
    "sigmoid",
    "special_expit",
    "hardsigmoid",
    "softplus",
    "tanh",
    "softmax",
    "_softmax",
    "_safe_softmax",
    "hardtanh",
    "relu6",
    "clamp",
}
"""operators that make a weight of any number"""
POSITIVE = {"exp", "exp2", "special_exp2", "relu", "elu", "celu", "square", "abs"}
"""operators that make positive numbers, or nearly: gates only where they are stretched"""
ACTIVATIONS = {"sigmoid", "hardsigmoid", "softplus", "tanh", "hardtanh", "relu6", "clamp"}
"""those of ``SQUASHES`` that networks also make features with"""
CUTS = {"relu6", "hardtanh", "clamp"}
"""those of ``SQUASHES`` that only cut off what is too large"""
_RATIOS = {"div", "true_divide", "divide", "reciprocal"}
_MOST = {"relu6": 6.0, "softplus": math.inf}
_CALLED = {"_softmax": "softmax", "_safe_softmax": "softmax", "special_expit": "sigmoid"}
_MIXES = {"conv2d", "linear"}
_MOVES = (
    RESHAPES
    | PERMUTES
    | EXPANDS
    | PARTS
    | {
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "upsample_bicubic2d",
        "repeat",
        "repeat_interleave",
        "cat",
        "stack",
        "pad",
        "roll",
        "index",
    }
)


def marked(hearing: Hearing, call: Any, result: Any) -> Mark | None:
    """Return the mark of what an operator makes; None where it has none."""
    function, arguments, keywords = call
    about = operator(function)
    given = tensors_of((arguments, keywords))
    if not given or about.library != "aten":
        return None
    if about.name in SQUASHES and hearing.graph.active(given[0]):
        return _squashed(hearing, about.name, arguments, keywords)
    found = next((each for each in given if each in hearing.marks), None)
    if found is None:
        return _share(hearing, about.name, given, result)
    mark: Mark = hearing.marks[found]
    if about.name in _MIXES and _mixes_heads(mark, found, arguments):
        return mark
    if not _goes_on(hearing, call, hearing.marks, found, result):
        return None
    factor = _factor(about.name, arguments)
    # Branches are told by having one and the same mark.
    return mark if factor == 1 else replace(mark, most=mark.most * factor)


def _factor(name: str, arguments: Any) -> float:
    """Return the number by which weights are multiplied, as 6 divides those of a hard sigmoid."""
    number = arguments[1] if len(arguments) > 1 else None
    if name not in ("mul", "div") or not isinstance(number, (int, float)) or not number:
        return 1.0
    return abs(number) if name == "mul" else 1 / abs(number)


def positive(hearing: Hearing, call: Any, result: Any) -> Mark | None:
    """Return the mark of what an operator makes that is positive; None where it is not known."""
    function, arguments, keywords = call
    about = operator(function)
    number = arguments[1] if about.name == "pow" else None
    even = isinstance(number, (int, float)) and number % 2 == 0
    begins = about.name in POSITIVE or even
    if about.library != "aten" or not (begins or len(hearing.positives)):
        return None
    given = tensors_of((arguments, keywords))
    if begins and given and hearing.graph.active(given[0]):
        return Mark(about.name, hearing.graph.node(given[0]), math.inf)
    found = next((each for each in given if each in hearing.positives), None)
    if found is None or not _goes_on(hearing, call, hearing.positives, found, result):
        return None
    mark: Mark = hearing.positives[found]
    return mark


def _share(hearing: Hearing, name: str, given: list[Tensor], result: Any) -> Mark | None:
    """Return the mark of 1 / (1 + exp(-x)), exp(x) / (1 + exp(x)) and exp(x) / Σ exp(x)."""
    mark: Mark | None = hearing.positives.get(given[0])
    if name not in _RATIOS or mark is None or not mark.made.startswith("exp"):
        return None
    low, high = (each.item() for each in torch.aminmax(result.float()))
    return Mark(mark.made, mark.source, 1.0) if 0 <= low <= high <= 1 else None


def _goes_on(hearing: Hearing, call: Any, known: Any, found: Tensor, result: Any) -> bool:
    """Return whether what an operator makes of weights are weights."""
    function, arguments, keywords = call
    about = operator(function)
    if about.name in _MOVES:
        return True
    given = tensors_of((arguments, keywords))
    if not about.pointwise or not isinstance(result, Tensor):
        return False
    others = [each for each in given if hearing.graph.active(each) and each not in known]
    if not others:
        return True
    # Divided by their own sum they are weights; added to features they are features.
    return about.name in _RATIOS and given[0] is found and result.shape == found.shape


def _mixes_heads(mark: Mark, weights: Tensor, arguments: Any) -> bool:
    """Return whether a layer mixes rows of several heads, token by token: they are still rows."""
    if mark.made != "softmax" or weights.dim() != 4 or arguments[0] is not weights:
        return False
    kernel = arguments[1].shape[2:]
    return all(length == 1 for length in kernel)


def _squashed(hearing: Hearing, name: str, arguments: Any, keywords: Any) -> Mark | None:
    source = arguments[0]
    if name in ("clamp", "hardtanh"):
        low, high = _limits(name, arguments, keywords)
        if low is None or high is None:
            return hearing.marks.get(source)
        return Mark(name, hearing.graph.node(source), max(abs(low), abs(high)))
    if source in hearing.marks and name == "tanh":
        return hearing.marks[source]
    return Mark(_CALLED.get(name, name), hearing.graph.node(source), _MOST.get(name, 1.0))


def _limits(name: str, arguments: Any, keywords: Any) -> tuple[float | None, float | None]:
    default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
    names = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
    found = []
    for position, (key, usual) in enumerate(zip(names, default, strict=True), start=1):
        value = arguments[position] if len(arguments) > position else keywords.get(key, usual)
        found.append(value if isinstance(value, (int, float)) else None)
    return found[0], found[1]
