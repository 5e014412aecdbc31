"""What is known of an operator of torch from its own declaration, kept by operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

_POINTWISE = {
    "feature_dropout",
    "dropout",
    "native_dropout",
    "hardswish",
    "log_sigmoid",
    "masked_fill",
    "multiply",
    "subtract",
    "divide",
    "where",
    "to",
    "_to_copy",
    "type_as",
    "contiguous",
    "clone",
    "detach",
    "alias",
    "lift_fresh",
    "alpha_dropout",
    "mish",
    "relu6",
    "logit",
    "copy",
    "fill",
    "zero",
}
"""operators on every number by itself that torch does not tag as such"""


@dataclass(frozen=True)
class Operator:
    """An operator in short.

    Args:
        library: "aten" for torch's own.
        name: without overload and without the underscore of those that write into an argument.
        pointwise: whether every number of the result comes from the numbers at its place.
        written: positions of the arguments that are written into.
    """

    library: str
    name: str
    pointwise: bool
    written: tuple[int, ...]


@cache
def operator(function: Any) -> Operator:
    """Return what is known of an operator."""
    schema = function._schema
    library, _, name = schema.name.partition("::")
    written = tuple(
        index
        for index, each in enumerate(schema.arguments)
        if each.alias_info is not None and each.alias_info.is_write
    )
    bare = name.rstrip("_") if written else name
    pointwise = torch.Tag.pointwise in function.tags or bare in _POINTWISE
    return Operator(library, bare, library == "aten" and pointwise, written)
