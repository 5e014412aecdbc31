"""Rows of weights: fused operators, and products that weigh values with what was followed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vizattn.foreign.carrying import carried
from vizattn.foreign.events import (
    Attended,
    Side,
    Stored,
    Told,
    Weights,
    apart,
    roughness,
    spread_indices,
)
from vizattn.foreign.hearing import Hearing
from vizattn.foreign.keeping import Kept
from vizattn.foreign.places import Follower
from vizattn.foreign.products import Product, layer_of, product_of
from vizattn.foreign.scores import (
    ITSELF,
    LEFT,
    RIGHT,
    Causal,
    Factor,
    Lost,
    Reshape,
    Scores,
    Stage,
    Step,
    permuted,
)

LARGEST_STORED = 512_000_000
"""bytes of weights that are kept as they are where they cannot be followed to their factors"""
_SMALL = 65_536
"""numbers of values that are kept in any case"""
_TOKENS = 3
"""axes of tokens: of more, a layer mixes heads"""
_CHECKED_NUMBERS = 400_000
"""numbers of rows that are computed at most to check one attention"""


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _transposed(tensor: Tensor) -> Tensor:
    return tensor.transpose(-2, -1)


def _last(tensor: Tensor, axes: tuple[int, int]) -> Tensor:
    return tensor.movedim(axes, (-2, -1))


def _grouped(tensor: Tensor, groups: int) -> Tensor:
    return tensor.unflatten(-3, (groups, -1))


def _grouped_transposed(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(-3).transpose(-2, -1)


def _factor(hearing: Hearing, tensor: Tensor, view: Callable[[Tensor], Tensor]) -> Factor:
    return Factor(hearing.keeper.keep(view(tensor)), hearing.graph.node(tensor), view)


def _fused(hearing: Hearing, call: Any, result: Any) -> bool:
    """Hear ``scaled_dot_product_attention`` in any of its forms."""
    function, arguments, keywords = call
    named = {
        each.name: arguments[index] if index < len(arguments) else keywords.get(each.name)
        for index, each in enumerate(function._schema.arguments)
    }
    query, key, value = (named[name] for name in ("query", "key", "value"))
    if not any(hearing.graph.active(each) for each in (query, key, value)):
        return True
    scores = _fused_scores(hearing, named)
    output = result[0] if isinstance(result, (list, tuple)) else result
    if named.get("enable_gqa"):
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    product = Product(
        (output, value), (_same, _same), (-1, -2), (-2, -1), (output.dim() - 2, 0), _weighed
    )
    _attended(hearing, scores, LEFT, product, value, output, ("softmax", "softmax(s·q kᵀ) v"))
    return True


def _weighed(rows: Tensor, values: Tensor) -> Tensor:
    return rows.to(values.dtype) @ values


def _fused_scores(hearing: Hearing, named: dict[str, Any]) -> Scores:
    query, key = named["query"], named["key"]
    groups = key.shape[-3] if query.dim() > 2 and key.shape[-3] != query.shape[-3] else 0
    if groups:
        left = _factor(hearing, query, partial(_grouped, groups=groups))
        right = _factor(hearing, key, _grouped_transposed)
    else:
        left, right = _factor(hearing, query, _same), _factor(hearing, key, _transposed)
    scores = Scores.product(left, right, exactly=query.dtype in (torch.float16, torch.bfloat16))
    if groups:
        shape = (*query.shape[:-1], key.shape[-2])
        stage = Stage(tuple(shape), (len(shape) - 2, len(shape) - 1))
        scores = scores.then(Reshape(torch.reshape, (), {}, scores.stage, stage, moves=True))
    stage = scores.stage
    scale = named.get("scale")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    steps = [Step(torch.mul, (ITSELF, scale), {}, stage, stage, scales=True)]
    if named.get("is_causal"):
        steps.append(Causal(torch.masked_fill, (), {}, stage, stage))
    mask = named.get("attn_mask", named.get("attn_bias"))
    if mask is not None:
        masked = _allowed if mask.dtype == torch.bool else torch.add
        steps.append(Step(masked, (ITSELF, hearing.keeper.keep(mask)), {}, stage, stage))
    whole = len(stage.shape) - 1
    steps.append(Step(_softmax, (ITSELF,), {}, stage, stage, whole=whole))
    for step in steps:
        scores = scores.then(step)
    return scores


def _allowed(logits: Tensor, mask: Tensor) -> Tensor:
    return logits.masked_fill(~mask, -math.inf)


def _softmax(logits: Tensor) -> Tensor:
    # A row that may hear nobody is all 0, as in torch's own operator.
    return logits.softmax(-1).nan_to_num(0.0)


def _product(hearing: Hearing, call: Any, result: Any) -> bool:
    """Hear a product of two tensors: of weights and values, or of queries and keys."""
    function, arguments, keywords = call
    name = function._schema.name.partition("::")[2]
    product = product_of(name, arguments, keywords)
    if product is None or not isinstance(result, Tensor):
        return False
    if name == "baddbmm":
        return _scored(hearing, product, result, partial(_added, hearing, arguments, keywords))
    return multiplied(hearing, product, result)


def multiplied(hearing: Hearing, product: Product, result: Tensor) -> bool:
    """Hear a product of two tensors; returns whether it is one of weights or may become weights."""
    return _weighs(hearing, product, result) or _scored(hearing, product, result)


def _scored(
    hearing: Hearing,
    product: Product,
    result: Tensor,
    added: Callable[[Stage], list[Step]] = lambda stage: [],
) -> bool:
    """Begin to follow a product that may become weights."""
    active = [hearing.graph.active(each) for each in product.operands]
    wide = all(each.dim() > 2 for each in product.operands)
    if not (all(active) or (any(active) and wide)):
        return False
    scores = _new_scores(hearing, product, result)
    for step in added(scores.stage):
        scores = scores.then(step)
    hearing.scores[result] = scores
    return True


def _new_scores(hearing: Hearing, product: Product, result: Tensor) -> Scores:
    left, right = (
        _factor(hearing, each, view)
        for each, view in zip(product.operands, product.views, strict=True)
    )
    scores = Scores.product(left, right)
    if product.placed == scores.stage.axes:
        return scores
    lead = iter(range(len(scores.stage.shape) - 2))
    order = [
        scores.stage.axes[product.placed.index(axis)] if axis in product.placed else next(lead)
        for axis in range(result.dim())
    ]
    after = permuted(scores.stage, order)
    return scores.then(Step(torch.permute, (ITSELF, order), {}, scores.stage, after, moves=True))


def _added(hearing: Hearing, arguments: Any, keywords: Any, stage: Stage) -> list[Step]:
    """Return what ``baddbmm`` does to its product."""
    bias = hearing.keeper.keep(arguments[0])
    beta, alpha = keywords.get("beta", 1), keywords.get("alpha", 1)
    steps = [Step(torch.mul, (ITSELF, alpha), {}, stage, stage, scales=True)]
    if beta:
        steps.append(Step(torch.add, (ITSELF, bias), {"alpha": beta}, stage, stage))
    return steps


def _weighs(hearing: Hearing, product: Product, result: Tensor) -> bool:
    """Hear a product of weights with values, if one of both operands is followed as weights."""
    for position in (LEFT, RIGHT):
        operand, values = product.operands[position], product.operands[1 - position]
        axes = product.tokens[position], product.contracted[position]
        scores: Scores | None = hearing.scores.get(operand)
        if scores is not None and sorted(axes) == sorted(scores.stage.axes):
            query = scores.stage.axes.index(axes[0])
            if carried(hearing, scores, query, position, product, result):
                return True
            made = _made(hearing, scores, operand)
            recipe = f"{made}(q kᵀ) v" if made else "(q kᵀ) v"
            return _attended(
                hearing, scores, query, product, values, result, (made, recipe), position
            )
        if operand in hearing.marks:
            return _stored(hearing, operand, product, position, result)
    return False


def _spread(hearing: Hearing, operand: Tensor, values: Tensor, axes: tuple[int, int]) -> Tensor:
    """Return weights with an axis of entries where the same ones are applied in many places."""
    rank = operand.dim()
    if rank != values.dim() or sorted(axes) != [rank - 2, rank - 1]:
        return operand
    shape, node, follower = list(operand.shape), hearing.graph.node(values), Follower()
    for axis in range(rank - 2):
        several = shape[axis] == 1 and values.shape[axis] > 1
        if several and follower.varies(node, _same, axis):
            shape[axis] = values.shape[axis]
    return operand.expand(shape)


def _made(hearing: Hearing, scores: Scores, operand: Tensor) -> str:
    mark = hearing.marks.get(operand)
    return mark.made if mark is not None else ""


def _stored(
    hearing: Hearing, operand: Tensor, product: Product, position: int, result: Tensor
) -> bool:
    """Hear weights that no product made, or that could not be followed to it."""
    if operand.nbytes > LARGEST_STORED:
        hearing.miss("matmul", "too_large")
        return False
    axes = (product.tokens[position] % operand.dim(), product.contracted[position] % operand.dim())
    values = product.operands[1 - position]
    wide = _spread(hearing, operand, values, axes)
    weights = Stored(hearing.keeper.keep(wide), Stage(tuple(wide.shape), axes))
    made = hearing.marks[operand].made
    described = (made, f"{made}(x) v")
    return _attended(hearing, weights, LEFT, product, values, result, described, position)


def _attended(
    hearing: Hearing,
    weights: Weights,
    query: int,
    product: Product,
    values: Tensor,
    result: Tensor,
    described: tuple[str, str],
    position: int = LEFT,
) -> bool:
    """Note rows of weights, with some of them applied to the values again."""
    stage = weights.stage
    count, keys = (stage.shape[stage.axes[side]] for side in (query, 1 - query))
    lead = math.prod(stage.shape) // max(1, count * keys)
    most = max(2, min(32, _CHECKED_NUMBERS // max(1, lead * keys)))
    index = spread_indices(count, most)
    try:
        rows = weights.cut(query, index)
    except Lost:
        operand = product.operands[position]
        if operand not in hearing.marks and operand not in hearing.scores:
            return False
        return _stored_scores(hearing, operand, product, position, result, described)
    pair = (rows, values) if position == LEFT else (values, rows)
    again = product.again(*pair)
    wanted = result.index_select(product.placed[position], index.to(result.device))
    path, module = hearing.where()
    sides: tuple[Side | None, Side | None] = (None, None)
    if isinstance(weights, Scores):
        sides = (
            Side(weights.left.node, weights.left.view, -2),
            Side(weights.right.node, weights.right.view, -1),
        )
    else:
        view = product.views[1 - position]
        held = Side(hearing.graph.node(values), view, -1 if position == RIGHT else -2)
        axes = stage.axes[query], stage.axes[1 - query]
        asking = Side(hearing.graph.node(product.operands[position]), partial(_last, axes=axes), -2)
        sides = (asking, held)
    hearing.events.append(
        Attended(
            path,
            module,
            weights.settled(hearing.keeper),
            query,
            sides,
            described[0],
            apart(again, wanted),
            roughness(result),
            Told.by(rows.movedim(stage.axes[1 - query], -1)),
            described[1],
            _responses(hearing, product.views[1 - position](values), position, lead * keys),
        )
    )
    return True


def _responses(hearing: Hearing, values: Tensor, position: int, channels: int) -> Kept | None:
    """Keep values (..., key, other) where keys may be channels, which are shown by what they hold.

    There are fewer channels than places in each head then, unless all of it is small.
    """
    by_key = values if position == LEFT else values.transpose(-2, -1)
    alone = by_key.numel() == by_key.shape[-2] * by_key.shape[-1]
    few = by_key.shape[-2] < by_key.shape[-1] or by_key.numel() <= _SMALL
    heads = few and by_key.numel() == channels * by_key.shape[-1]
    return hearing.keeper.settle(hearing.keeper.keep(by_key)) if alone or heads else None


def _stored_scores(
    hearing: Hearing,
    operand: Tensor,
    product: Product,
    position: int,
    result: Tensor,
    described: tuple[str, str],
) -> bool:
    """Hear weights with a step that needs all rows at once, as the tensor that they are."""
    if operand.nbytes > LARGEST_STORED:
        hearing.miss("matmul", "too_large")
        return False
    axes = (product.tokens[position] % operand.dim(), product.contracted[position] % operand.dim())
    weights = Stored(hearing.keeper.keep(operand), Stage(tuple(operand.shape), axes))
    values = product.operands[1 - position]
    return _attended(hearing, weights, LEFT, product, values, result, described, position)


def _layer(hearing: Hearing, call: Any, result: Any) -> bool:
    """Hear shares of a few learnt things that a layer sums up: its parameters are the values."""
    function, arguments, keywords = call
    given = arguments[0]
    mark = hearing.marks.get(given)
    if mark is None or mark.made != "softmax" or given.dim() != _TOKENS or given.shape[0] != 1:
        return False
    product = layer_of(function._schema.name.partition("::")[2], arguments, keywords)
    return product is not None and _stored(hearing, given, product, LEFT, result)


HEARD: dict[str, Callable[[Hearing, Any, Any], bool]] = (
    dict.fromkeys(("matmul", "bmm", "mm", "einsum", "baddbmm"), _product)
    | dict.fromkeys(("linear", "conv1d"), _layer)
    | dict.fromkeys(
        (
            "scaled_dot_product_attention",
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
            "_scaled_dot_product_fused_attention_overrideable",
        ),
        _fused,
    )
)
"""by operator, what hears it; it returns whether the result is dealt with"""
