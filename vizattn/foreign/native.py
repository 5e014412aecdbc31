"""Operators that do a whole layer at once, done again step by step so that it is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vizattn.foreign.events import apart
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
        joined = _attention(
            (given["query"], given["key"], given["value"]),
            given["num_head"],
            (given["qkv_weight"], given["qkv_bias"]),
            (given["mask"], given["mask_type"]),
        )
    again = F.linear(joined, given["proj_weight"], given["proj_bias"])
    _compare(hearing, again, result[0])
    return result


def _native_layer(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    result = function(*arguments, **keywords)
    given = _named(function, arguments, keywords)
    source = given["src"]
    if source.is_nested:
        hearing.miss("_transformer_encoder_layer_fwd", "nested")
        return result
    norms = [
        partial(
            F.layer_norm,
            normalized_shape=given[f"norm_weight_{number}"].shape,
            weight=given[f"norm_weight_{number}"],
            bias=given[f"norm_bias_{number}"],
            eps=given["eps"],
        )
        for number in (1, 2)
    ]
    first = given["norm_first"]
    with hearing.aloud():
        asked = norms[0](source) if first else source
        joined = _attention(
            (asked, asked, asked),
            given["num_heads"],
            (given["qkv_weight"], given["qkv_bias"]),
            (given["mask"], given["mask_type"]),
        )
    x = source + F.linear(joined, given["proj_weight"], given["proj_bias"])
    x = x if first else norms[0](x)
    hidden = F.linear(norms[1](x) if first else x, given["ffn_weight_1"], given["ffn_bias_1"])
    hidden = F.gelu(hidden) if given["use_gelu"] else F.relu(hidden)
    x = x + F.linear(hidden, given["ffn_weight_2"], given["ffn_bias_2"])
    _compare(hearing, x if first else norms[1](x), result)
    return result


def _compare(hearing: Hearing, again: Tensor, result: Tensor) -> None:
    """Let the attention that was heard last answer for what the whole operator returned."""
    heard = hearing.events[-1]
    hearing.events[-1] = replace(heard, worst=max(heard.worst, apart(again, result)))


COMPUTED: dict[str, Callable[..., Any]] = {
    "_native_multi_head_attention": _native_attention,
    "_transformer_encoder_layer_fwd": _native_layer,
}
"""by operator, what computes it and lets be heard what it is made of"""
