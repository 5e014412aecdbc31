"""Operators that do a whole layer at once, done again step by step so that it is heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vizattn.foreign.hearing import Hearing


def _named(function: Any, arguments: Any, keywords: Any) -> dict[str, Any]:
    """Return an operator's arguments by name, with what is left out."""
    found = {}
    for position, each in enumerate(function._schema.arguments):
        if position < len(arguments):
            found[each.name] = arguments[position]
        else:
            found[each.name] = keywords.get(each.name, each.default_value)
    return found


def _attention(
    inputs: tuple[Tensor, Tensor, Tensor],
    heads: int,
    packed: tuple[Tensor, Tensor | None],
    mask: tuple[Tensor | None, int | None],
) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v of every head, joined, from packed projections."""
    weights = packed[0].chunk(3)
    biases = packed[1].chunk(3) if packed[1] is not None else (None, None, None)
    query, key, value = (
        F.linear(x, w, b).unflatten(-1, (heads, -1)).transpose(1, 2)
        for x, w, b in zip(inputs, weights, biases, strict=True)
    )
    joined = F.scaled_dot_product_attention(query, key, value, _mask(*mask))
    return joined.transpose(1, 2).flatten(2)


def _mask(mask: Tensor | None, kind: int | None) -> Tensor | None:
    """Return what may be heard, from a mask of what may not: one of keys has kind 1."""
    if mask is None:
        return None
    if mask.dtype != torch.bool:
        return mask[:, None, None] if kind == 1 else mask
    return ~(mask[:, None, None] if kind == 1 else mask)


def _native_attention(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    result = function(*arguments, **keywords)
    given = _named(function, arguments, keywords)
    if any(each.is_nested for each in arguments[:3]):
        hearing.miss("_native_multi_head_attention", "nested")
        return result
    with hearing.aloud():
        _attention(
            (given["query"], given["key"], given["value"]),
            given["num_head"],
            (given["qkv_weight"], given["qkv_bias"]),
            (given["mask"], given["mask_type"]),
        )
    return result


def _native_layer(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    result = function(*arguments, **keywords)
    given = _named(function, arguments, keywords)
    source = given["src"]
    if source.is_nested:
        hearing.miss("_transformer_encoder_layer_fwd", "nested")
        return result
    with hearing.aloud():
        if given["norm_first"]:
            weight, bias = given["norm_weight_1"], given["norm_bias_1"]
            source = F.layer_norm(source, weight.shape, weight, bias, given["eps"])
        _attention(
            (source, source, source),
            given["num_heads"],
            (given["qkv_weight"], given["qkv_bias"]),
            (given["mask"], given["mask_type"]),
        )
    return result


COMPUTED: dict[str, Callable[..., Any]] = {
    "_native_multi_head_attention": _native_attention,
    "_transformer_encoder_layer_fwd": _native_layer,
}
"""by operator, what computes it and lets the hearing hear what it is made of"""
