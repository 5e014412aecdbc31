"""Operators that do a whole layer at once, done again step by step so that it is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vizattn.foreign.events import apart
from vizattn.foreign.graph import Node
from vizattn.foreign.hearing import Hearing
from vizattn.foreign.lettered import two_by_two


@dataclass(frozen=True)
class Plain:
    """What a nested tensor of one picture holds.

    Args:
        tokens: those that are no padding, (1, token, dim).
        padded: node of all of them with padding after them; None where it lies between them.
    """

    tokens: Tensor
    padded: Node | None


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
    query, key, value = (_plain(hearing, given[name]) for name in ("query", "key", "value"))
    if query is None or key is None or value is None:
        hearing.miss("_native_multi_head_attention", "nested")
        return result
    with hearing.aloud():
        joined = _attention(
            (query, key, value),
            given["num_head"],
            (given["qkv_weight"], given["qkv_bias"]),
            (given["mask"], given["mask_type"]),
        )
        again = F.linear(joined, given["proj_weight"], given["proj_bias"])
    _compare(hearing, again, result[0], given["query"])
    return result


def _native_layer(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    result = function(*arguments, **keywords)
    given = _named(function, arguments, keywords)
    source = _plain(hearing, given["src"])
    if source is None:
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
        x = x if first else norms[1](x)
    _compare(hearing, x, result, given["src"])
    return result


def _without_padding(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    """Remember the tokens of one picture, from which a nested tensor takes those that are real."""
    result = function(*arguments, **keywords)
    tokens, real = arguments[:2]
    if len(tokens) == 1:
        with hearing.aloud():
            kept = tokens[:, real[0]]
        aligned = bool(real[0, : kept.shape[1]].all())
        hearing.plain[result] = Plain(kept, hearing.graph.node(tokens) if aligned else None)
    return result


def _with_padding(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    """Let the tokens that come back between padding be where they were."""
    result = function(*arguments, **keywords)
    known: Plain | None = hearing.plain.get(arguments[0])
    if known is not None and known.padded is not None and known.padded.shape == result.shape:
        hearing.graph.place(result, known.padded)
    return result


def _plain(hearing: Hearing, tensor: Tensor) -> Tensor | None:
    """Return a tensor, or the tokens that a nested one of one picture is made of, if known."""
    known: Plain | None = hearing.plain.get(tensor) if tensor.is_nested else Plain(tensor, None)
    return None if known is None else known.tokens


def _compare(hearing: Hearing, again: Tensor, result: Tensor, source: Tensor) -> None:
    """Let the attention that was heard last answer for what the whole operator returned."""
    if result.is_nested:
        hearing.plain[result] = replace(hearing.plain[source], tokens=again)
        again, result = again[0], result.unbind()[0]
    heard = hearing.events[-1]
    hearing.events[-1] = replace(heard, worst=max(heard.worst, apart(again, result)))


def _gated_half(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    """Let a gated linear unit be heard: Dauphin et al. 2017, eq. 1."""
    result = function(*arguments, **keywords)
    given = _named(function, arguments, keywords)
    if not hearing.graph.active(given["self"]):
        return result
    first = len(hearing.events)
    with hearing.aloud():
        features, gate = given["self"].chunk(2, given["dim"])
        again = features * gate.sigmoid()
    _stand_in(hearing, again, result, first)
    return result


def _several(hearing: Hearing, function: Any, arguments: Any, keywords: Any) -> Any:
    """Let ``einsum`` of more than two factors be heard two by two."""
    result = function(*arguments, **keywords)
    equation, factors = arguments[:2]
    if len(factors) < 3 or not any(hearing.graph.active(each) for each in factors):
        return result
    order = two_by_two(equation, [tuple(each.shape) for each in factors])
    if order is None:
        hearing.miss("einsum", "several_factors")
        return result
    first, left = len(hearing.events), list(factors)
    with hearing.aloud():
        for one, other, spelled in order:
            made = torch.einsum(spelled, left[one], left[other])
            left = [each for at, each in enumerate(left) if at not in (one, other)] + [made]
    _stand_in(hearing, left[0], result, first)
    return result


def _stand_in(hearing: Hearing, again: Tensor, result: Tensor, first: int) -> None:
    """Let a result be what was heard in its place, and the events from ``first`` on answer for it.

    Args:
        hearing: what is known.
        again: the same numbers, made step by step.
        result: what the operator returned.
        first: position of the first event of these steps.
    """
    worst = apart(again, result)
    for at, event in enumerate(hearing.events[first:], start=first):
        hearing.events[at] = replace(event, worst=max(event.worst, worst))
    hearing.graph.place(result, hearing.graph.node(again))
    for known in (hearing.scores, hearing.marks, hearing.positives):
        if again in known:
            known[result] = known[again]


COMPUTED: dict[str, Callable[..., Any]] = {
    "_native_multi_head_attention": _native_attention,
    "_transformer_encoder_layer_fwd": _native_layer,
    "glu": _gated_half,
    "einsum": _several,
    "_nested_tensor_from_mask": _without_padding,
    "to_padded_tensor": _with_padding,
    "nested_to_padded_tensor": _with_padding,
}
"""by operator, what computes it and lets be heard what it is made of"""
