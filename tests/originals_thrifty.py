"""Plain numpy versions of twelve originals that listen to less than everything, to make more files.

As in ``originals``: written from the equations, sharing no code with ``models``. Whole matrices of
places are built, and what is sparse or pooled is listed place by place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.originals import Array, Original, flat, pooled, relu, sigmoid, softmax

Size = tuple[int, int]


def unit(x: Array, axis: int) -> Array:
    """Divided by the length along an axis, as the originals' normalisation does."""
    return x / np.maximum(np.sqrt((x**2).sum(axis, keepdims=True)), 1e-12)


def conv_bn(file: Original, conv: str, norm: str, x: Array, out: int, bias: bool = False) -> Array:
    return file.norm(norm, file.conv1(conv, x, out, bias))


# CCNet.


def criss_cross(seed: int, size: Size, channels: int, passes: int | None = None) -> Original:
    variant = "" if passes is None else f"r{passes}"
    file = Original("ccnet", variant, "CrissCrossAttention", {"in_dim": channels}, seed, size)
    x = file.input(channels)
    rows, columns = size
    weights = {
        name: (
            file.parameter(f"{name}_conv.weight", out, channels, 1, 1)[:, :, 0, 0],
            file.parameter(f"{name}_conv.bias", out)[:, None, None],
        )
        for name, out in (("query", channels // 8), ("key", channels // 8), ("value", channels))
    }
    gamma = file.parameter("gamma", 1)
    named = {}
    for index in range(passes or 1):
        query, key, value = (
            np.einsum("oc,bchw->bohw", weight, x) + bias for weight, bias in weights.values()
        )
        joint = np.zeros((len(x), rows, columns, rows + columns))
        gathered = np.zeros_like(x)
        for r in range(rows):
            for c in range(columns):
                down = np.einsum("bd,bdg->bg", query[:, :, r, c], key[:, :, :, c])
                down[:, r] = -np.inf
                across = np.einsum("bd,bdv->bv", query[:, :, r, c], key[:, :, r])
                joint[:, r, c] = softmax(np.concatenate([down, across], axis=1))
                line = np.concatenate([value[:, :, :, c], value[:, :, r]], axis=2)
                gathered[:, :, r, c] = np.einsum("bl,bcl->bc", joint[:, r, c], line)
        x = gamma * gathered + x
        prefix = "" if passes is None else f"pass{index + 1}__"
        named[f"attention__{prefix}joint"] = joint
        named[f"attention__{prefix}column"] = joint[..., :rows]
        named[f"attention__{prefix}row"] = joint[..., rows:]
    return file.give(output=x, **named)


# EMANet.


def emau(seed: int, size: Size, c: int, k: int, stage_num: int | None = None) -> Original:
    kwargs = {"args": [c, k]} | ({} if stage_num is None else {"stage_num": stage_num})
    file = Original("emanet", "", "EMAU", kwargs, seed, size)
    x = file.input(c)
    inner = flat(file.conv1("conv1", x, c))
    start = file.draw(1, c, k)
    start = (start / np.sqrt((start**2).sum(1, keepdims=True))).astype(np.float32)
    file.tensors["param.mu"] = start.astype(np.float64)
    mu = np.repeat(start.astype(np.float64), len(x), axis=0)
    named = {}
    for step in range(stage_num or 3):
        z = softmax(np.einsum("bcn,bck->bnk", inner, mu))
        named[f"attention__responsibilities__stage{step + 1}"] = z
        shares = z / (1e-6 + z.sum(1, keepdims=True))
        mu = np.einsum("bcn,bnk->bck", inner, shares)
        mu = mu / (1e-6 + np.sqrt((mu**2).sum(1, keepdims=True)))
    back = relu(np.einsum("bck,bnk->bcn", mu, z)).reshape(x.shape)
    out = relu(conv_bn(file, "conv2.0", "conv2.1", back, c) + x)
    file.give(output__0=out, output__1=mu, attention__bases=mu, attention__responsibilities=z)
    return file.give(**named)


# Asymmetric non-local blocks.


def adaptive(x: Array, side: int | Size) -> Array:
    """Means over cells whose borders are rounded outwards."""
    down, across = (side, side) if isinstance(side, int) else side
    rows, columns = x.shape[2:]
    out = np.zeros((*x.shape[:2], down, across))
    for i in range(down):
        for j in range(across):
            top, bottom = i * rows // down, math.ceil((i + 1) * rows / down)
            left, right = j * columns // across, math.ceil((j + 1) * columns / across)
            out[:, :, i, j] = x[:, :, top:bottom, left:right].mean((2, 3))
    return out


def _anchors(x: Array, sides: Sequence[int]) -> Array:
    return np.concatenate([flat(adaptive(x, side)) for side in sides], axis=2)


def _anchor_stage(
    file: Original,
    stage: str,
    low: Array,
    high: Array,
    dims: tuple[int, int, int],
    sides: Sequence[int],
    shared: bool,
) -> tuple[Array, Array]:
    key_dim, value_dim, out = dims
    query = relu(conv_bn(file, f"{stage}f_query.0", f"{stage}f_query.1.0", high, key_dim, True))
    if shared:
        for name in [name for name in file.tensors if f"{stage}f_query" in name]:
            file.tensors[name.replace("f_query", "f_key")] = file.tensors[name]
        key = query
    else:
        key = relu(conv_bn(file, f"{stage}f_key.0", f"{stage}f_key.1.0", low, key_dim, True))
    value = file.conv1(f"{stage}f_value", low, value_dim)
    logits = np.einsum("bci,bcs->bis", flat(query), _anchors(key, sides)) * key_dim**-0.5
    affinity = softmax(logits)
    context = np.einsum("bis,bcs->bci", affinity, _anchors(value, sides))
    return file.conv1(f"{stage}W", context.reshape(len(high), value_dim, *high.shape[2:]), out), (
        affinity
    )


def apnb(
    seed: int,
    size: Size,
    channels: int,
    out: int,
    key_dim: int,
    value_dim: int,
    stages: int = 1,
    sides: Sequence[int] | None = None,
) -> Original:
    kwargs: dict[str, Any] = {
        "in_channels": channels,
        "out_channels": out,
        "key_channels": key_dim,
        "value_channels": value_dim,
        "dropout": 0.1,
        "sizes": [1] * stages,
        "norm_type": "batchnorm",
    }
    if sides is not None:
        kwargs["psp_size"] = list(sides)
    file = Original("ann", "apnb", "APNB", kwargs, seed, size)
    x = file.input(channels)
    found = [
        _anchor_stage(
            file, f"stages.{n}.", x, x, (key_dim, value_dim, out), sides or (1, 3, 6, 8), True
        )
        for n in range(stages)
    ]
    both = np.concatenate([sum(context for context, _ in found), x], axis=1)
    output = relu(conv_bn(file, "conv_bn_dropout.0", "conv_bn_dropout.1.0", both, out, True))
    return file.give(output=output, attention__affinity=found[0][1])


def afnb(
    seed: int,
    size: Size,
    low_size: Size,
    channels: tuple[int, int, int],
    key_dim: int,
    value_dim: int,
) -> Original:
    low_channels, high_channels, out = channels
    kwargs = {
        "args": [low_channels, high_channels, out, key_dim, value_dim, 0.05, [1], "batchnorm"]
    }
    file = Original("ann", "afnb", "AFNB", kwargs, seed, size)
    low = file.tensors["input.0"] = file.draw(2, low_channels, *low_size, scale=0.8)
    high = file.tensors["input.1"] = file.draw(2, high_channels, *size, scale=0.8)
    dims = (key_dim, value_dim, out)
    context, affinity = _anchor_stage(file, "stages.0.", low, high, dims, (1, 3, 6, 8), False)
    both = np.concatenate([context, high], axis=1)
    output = conv_bn(file, "conv_bn_dropout.0", "conv_bn_dropout.1", both, out, True)
    return file.give(output=output, attention__affinity=affinity)


# GCNet.


def _transform(file: Original, name: str, context: Array, inner: int) -> Array:
    channels = context.shape[1]
    hidden = file.conv1(f"{name}.0", context, inner)
    mean, variance = hidden.mean((1, 2, 3), keepdims=True), hidden.var((1, 2, 3), keepdims=True)
    weight, bias = (file.parameter(f"{name}.1.{part}", inner, 1, 1) for part in ("weight", "bias"))
    return file.conv1(
        f"{name}.3", relu((hidden - mean) / np.sqrt(variance + 1e-5) * weight + bias), channels
    )


def context_block(
    seed: int,
    size: Size,
    channels: int,
    ratio: float,
    pooling: str = "att",
    fusions: Sequence[str] = ("channel_add",),
) -> Original:
    kwargs = {
        "args": [channels],
        "ratio": ratio,
        "pooling_type": pooling,
        "fusion_types": list(fusions),
    }
    file = Original("gcnet", "", "ContextBlock", kwargs, seed, size)
    x = file.input(channels)
    mask = np.full((len(x), 1, size[0] * size[1]), 1 / (size[0] * size[1]))
    if pooling == "att":
        mask = softmax(flat(file.conv1("conv_mask", x, 1)))
    context = np.einsum("bcn,bkn->bc", flat(x), mask)[:, :, None, None]
    output, inner, named = x, int(channels * ratio), {"attention__context_mask": mask}
    if "channel_mul" in fusions:
        gate = sigmoid(_transform(file, "channel_mul_conv", context, inner))
        output, named = output * gate, named | {"attention__channel_mul": gate}
    if "channel_add" in fusions:
        term = _transform(file, "channel_add_conv", context, inner)
        output, named = output + term, named | {"attention__channel_add": term}
    return file.give(output=output, **named)


# A2-Net.


def double_attention(
    seed: int, size: Size, channels: int, c_m: int, c_n: int, reconstruct: bool | None
) -> Original:
    kwargs: dict[str, Any] = {"in_channels": channels, "c_m": c_m, "c_n": c_n}
    kwargs |= {"k": 1} if reconstruct is None else {"reconstruct": reconstruct}
    variant = "no_reconstruct" if reconstruct is None else ""
    file = Original("a2net", variant, "DoubleAttentionLayer", kwargs, seed, size)
    x = file.input(channels)
    features = flat(file.conv1("convA", x, c_m))
    gather = softmax(flat(file.conv1("convB", x, c_n)))
    distribute = softmax(flat(file.conv1("convV", x, c_n)).transpose(0, 2, 1)).transpose(0, 2, 1)
    descriptors = np.einsum("bmn,bkn->bmk", features, gather)
    output = np.einsum("bmk,bkn->bmn", descriptors, distribute).reshape(2, c_m, *size)
    if reconstruct:
        output = file.conv1("conv_reconstruct", output, channels)
    return file.give(
        output=output,
        attention__gather=gather,
        attention__distribute=distribute,
        attention__global_descriptors=descriptors,
    )


# GloRe.


def glore_unit(seed: int, size: Size, channels: int, nodes: int, normalize: bool) -> Original:
    kwargs = {"args": [channels, nodes], "normalize": normalize}
    file = Original("glore", "", "GloRe_Unit_2D", kwargs, seed, size)
    x = file.input(channels)
    state = flat(file.conv1("conv_state", x, 2 * nodes))
    projection = flat(file.conv1("conv_proj", x, nodes))
    collected = np.einsum("bsn,bkn->bsk", state, projection)
    if normalize:
        collected = collected / (size[0] * size[1])
    mix = file.parameter("gcn.conv1.weight", nodes, nodes, 1)[:, :, 0]
    mixed = np.einsum("lk,bsk->bsl", mix, collected) + file.parameter("gcn.conv1.bias", nodes)
    width = 2 * nodes
    transform = file.parameter("gcn.conv2.weight", width, width, 1)[:, :, 0]
    found = np.einsum("ts,bsk->btk", transform, relu(mixed + collected))
    back = np.einsum("bsk,bkn->bsn", found, projection).reshape(2, width, *size)
    output = x + file.norm("blocker", file.conv1("conv_extend", back, channels, False), 1e-4)
    return file.give(
        output=output,
        attention__projection=projection,
        attention__nodes_in=collected,
        attention__nodes_out=found,
    )


# DNL.


def disentangled(seed: int, size: Size, channels: int, planes: int, **options: Any) -> Original:
    kwargs = {
        "inplanes": channels,
        "planes": planes,
        "downsample": False,
        "use_gn": False,
        "lr_mult": 1.0,
        "use_out": False,
        "out_bn": False,
        "whiten_type": ["channel"],
        "temperature": 1.0,
        "with_gc": True,
    } | options
    file = Original("dnl", "", "NonLocal2d_bn", kwargs, seed, size)
    x = file.input(channels)
    asked = pooled(x) if kwargs["downsample"] else x
    query = flat(file.conv1("conv_query", x, planes))
    key = flat(file.conv1("conv_key", asked, planes))
    out = bool(kwargs["use_out"])
    value = flat(file.conv1("conv_value", asked, planes if out else channels, out))
    if kwargs["whiten_type"]:
        query, key = (side - side.mean(2, keepdims=True) for side in (query, key))
    scale = planes**-0.5 / float(kwargs["temperature"])
    pairwise = softmax(np.einsum("bci,bcj->bij", query, key) * scale)
    gathered = file.parameter("gamma", 1) * np.einsum("bij,bcj->bci", pairwise, value)
    file.give(attention__pairwise=pairwise)
    if kwargs["with_gc"]:
        unary = softmax(flat(file.conv1("conv_mask", asked, 1)))
        gathered = gathered + np.einsum("bkj,bcj->bc", unary, value)[:, :, None]
        file.give(attention__unary=unary)
    gathered = gathered.reshape(2, -1, *size)
    if out:
        gathered = file.conv1("conv_out", gathered, channels, False)
    if kwargs["out_bn"]:
        gathered = file.norm("out_bn", gathered)
    return file.give(output=x + gathered)


# EANet.


def external(seed: int, size: Size, channels: int, slots: int | None = None) -> Original:
    kwargs = {"c": channels} | ({} if slots is None else {"k": slots})
    file = Original("eanet", "", "External_attention", kwargs, seed, size)
    x, slots = file.input(channels), slots or 64
    inner = flat(file.conv1("conv1", x, channels))
    keys = file.parameter("linear_0.weight", slots, channels, 1)[:, :, 0]
    values = file.parameter("linear_1.weight", channels, slots, 1)[:, :, 0]
    shares = softmax(np.einsum("sc,bcn->bsn", keys, inner))
    twice = shares / (1e-9 + shares.sum(1, keepdims=True))
    given = np.einsum("cs,bsn->bcn", values, twice).reshape(x.shape)
    output = relu(conv_bn(file, "conv2.0", "conv2.1", given, channels) + x)
    return file.give(output=output, attention__softmax=shares, attention__double_normalised=twice)


def external_heads(seed: int, tokens: int, dim: int, heads: int | None = None) -> Original:
    kwargs = {"args": [dim]} | ({} if heads is None else {"num_heads": heads})
    file = Original("eanet", "multi_head", "Attention", kwargs, seed, (1, tokens))
    x = file.tensors["input"] = file.draw(2, tokens, dim, scale=0.8)
    parts, width, slots = 4 * (heads or 8), dim // (heads or 8), 64

    def linear(name: str, x: Array, out: int) -> Array:
        weight = file.parameter(f"{name}.weight", out, x.shape[-1])
        return x @ weight.T + file.parameter(f"{name}.bias", out)

    wide = linear("trans_dims", x, 4 * dim).reshape(2, tokens, parts, width).transpose(0, 2, 1, 3)
    matched = linear("linear_0", wide, slots).transpose(0, 1, 3, 2)
    shares = softmax(matched).transpose(0, 1, 3, 2)
    twice = shares / (1e-9 + shares.sum(3, keepdims=True))
    given = linear("linear_1", twice, width).transpose(0, 2, 1, 3).reshape(2, tokens, 4 * dim)
    return file.give(
        output=linear("proj", given, dim),
        attention__softmax=shares,
        attention__double_normalised=twice,
    )


# CGNL.


def compact(
    seed: int,
    size: Size,
    channels: int,
    planes: int,
    groups: int,
    use_scale: bool,
    order: int | None = None,
) -> Original:
    name = "SpatialCGNL" if order is None else "SpatialCGNLx"
    kwargs: dict[str, Any] = {"args": [channels, planes, use_scale], "groups": groups}
    kwargs |= {} if order is None else {"order": order}
    file = Original("cgnl", "", name, kwargs, seed, size)
    x = file.input(channels)
    theta, phi, g = (file.conv1(each, x, planes, False) for each in ("t", "p", "g"))
    width = planes // groups
    root = math.sqrt(width * size[0] * size[1]) if use_scale else 1.0
    powers = [0] if order is None else list(range(order + 1))
    att, aggregated = np.zeros((2, groups, len(powers))), np.zeros_like(theta)
    for group in range(groups):
        part = slice(group * width, (group + 1) * width)
        for index, power in enumerate(powers):
            alpha, degree = 1.0, 1
            if order is not None:
                alpha = math.sqrt((2e-4) ** power / math.factorial(power) * math.exp(-2e-4))
                degree = power
            summed = (alpha * phi[:, part] ** degree * g[:, part]).sum((1, 2, 3)) / root
            att[:, group, index] = summed
            aggregated[:, part] += alpha * theta[:, part] ** degree * summed[:, None, None, None]
    per_group = channels // groups
    weight = file.parameter("z.weight", channels, width, 1, 1)[:, :, 0, 0]
    z = np.zeros_like(x)
    for group in range(groups):
        out = slice(group * per_group, (group + 1) * per_group)
        inside = aggregated[:, group * width : (group + 1) * width]
        z[:, out] = np.einsum("oc,bchw->bohw", weight[out], inside)
        mean, variance = (getattr(z[:, out], how)((1, 2, 3), keepdims=True) for how in _MOMENTS)
        z[:, out] = (z[:, out] - mean) / np.sqrt(variance + 1e-5)
    weight, bias = (file.parameter(f"gn.{part}", channels)[:, None, None] for part in _AFFINE)
    return file.give(
        output=z * weight + bias + x,
        attention__att=att,
        attention__aggregated=aggregated,
        attention__theta=theta,
        attention__phi=phi,
        attention__g=g,
    )


_MOMENTS = ("mean", "var")
_AFFINE = ("weight", "bias")


# LatentGNN.


def latent(
    seed: int,
    size: Size,
    channels: int,
    nodes: Sequence[int],
    stride: int,
    mode: str,
    graph_conv: bool = False,
) -> Original:
    kwargs = {
        "in_channels": channels,
        "latent_dims": list(nodes),
        "channel_stride": stride,
        "num_kernels": len(nodes),
        "mode": mode,
        "graph_conv_flag": graph_conv,
    }
    file = Original("latentgnn", "", "LatentGNNV1", kwargs, seed, size)
    x, inner = file.input(channels), channels // stride
    symmetric = mode == "symmetric"
    sides = [""] if symmetric else ["_v2l", "_l2v"]
    asked, *others = (
        unit(conv_bn(file, f"down_channel{side}.0", f"down_channel{side}.1", x, inner), 1)
        for side in sides
    )
    asking = others[0] if others else asked
    told = []
    for index, count in enumerate(nodes):
        kernel = f"LatentGNN_Kernel_{index}."
        maps = [
            flat(relu(conv_bn(file, f"{kernel}psi{side}.0", f"{kernel}psi{side}.1", given, count)))
            for side, given in zip(sides, (asked, asking), strict=False)
        ]
        give = unit(maps[0], 1 if symmetric else 2)
        take = give if symmetric else unit(maps[1], 1)
        latent_nodes = np.einsum("bkn,bcn->bkc", give, flat(asked))
        cosine = unit(latent_nodes, 2)
        between = softmax(np.einsum("bkc,blc->bkl", cosine, cosine))
        back = np.einsum("bkl,blc,bkn->bcn", between, latent_nodes, take).reshape(2, inner, *size)
        if graph_conv:
            name = f"{kernel}GraphConvWeight."
            back = relu(conv_bn(file, f"{name}0", f"{name}1", back, inner))
        told.append(back)
        named = {"v2l": give, "l2v": take, "latent_affinity": between}
        file.give(**{f"attention__kernel{index}__{key}": value for key, value in named.items()})
    widened = conv_bn(file, "up_channel.0", "up_channel.1", np.concatenate(told, axis=1), channels)
    return file.give(output=x + file.parameter("gamma", 1) * widened)


# APCNet.


def adaptive_context(
    seed: int, size: Size, side: int, fusion: bool, channels: int, out: int, eps: float = 1e-5
) -> Original:
    norm: dict[str, object] = {"type": "SyncBN"} | ({} if eps == 1e-5 else {"eps": eps})
    kwargs = {"args": [side, fusion, channels, out, None, norm, {"type": "ReLU"}]}
    file = Original("apcnet", "", "ACM", kwargs, seed, size)
    x = file.input(channels)

    def module(name: str, given: Array) -> Array:
        return relu(file.norm(f"{name}.bn", file.conv1(f"{name}.conv", given, out, False), eps))

    regions = flat(module("pooled_redu_conv", adaptive(x, side)))
    reduced = module("input_redu_conv", x)
    summary = module("global_info", reduced.mean((2, 3), keepdims=True))
    affinity = sigmoid(flat(file.conv1("gla", reduced + summary, side * side))).transpose(0, 2, 1)
    gathered = np.einsum("bnr,bcr->bcn", affinity, regions).reshape(reduced.shape)
    output = relu(module("residual_conv", gathered) + reduced)
    if fusion:
        output = module("fusion_conv", output)
    return file.give(output=output, attention__affinity=affinity)


# ISA.


def _attend(
    file: Original, name: str, x: Array, dims: tuple[int, int, int], groups: Sequence[Sequence[int]]
) -> tuple[Array, Array]:
    key_dim, value_dim, out = dims
    sides = []
    for side in ("f_query", "f_key"):
        y = relu(conv_bn(file, f"{name}.{side}.0", f"{name}.{side}.1.0", x, key_dim))
        y = relu(conv_bn(file, f"{name}.{side}.2", f"{name}.{side}.3.0", y, key_dim))
        sides.append(flat(y))
    value = flat(file.conv1(f"{name}.f_value", x, value_dim, False))
    gathered = np.zeros((len(x), value_dim, x.shape[2] * x.shape[3]))
    matrices = []
    for item in range(len(x)):
        for group in groups:
            members = list(group)
            query, key = (side[item][:, members] for side in sides)
            matrix = softmax(query.T @ key * key_dim**-0.5)
            gathered[item][:, members] = value[item][:, members] @ matrix.T
            matrices.append(matrix)
    placed = gathered.reshape(len(x), value_dim, *x.shape[2:])
    return relu(conv_bn(file, f"{name}.W.0", f"{name}.W.1.0", placed, out)), np.stack(matrices)


def interlaced(
    seed: int,
    size: Size,
    channels: int,
    dims: tuple[int, int, int],
    blocks: Sequence[Size],
) -> Original:
    key_dim, value_dim, out = dims
    kwargs = {
        "in_channels": channels,
        "key_channels": key_dim,
        "value_channels": value_dim,
        "out_channels": out,
        "down_factors": [list(block) for block in blocks],
        "dropout": 0.1,
        "bn_type": "torchbn",
    }
    file = Original("isa", "", "ISA_Module", kwargs, seed, size)
    x, contexts = file.input(channels), []
    for stage, (dh, dw) in enumerate(blocks):
        down, across = -size[0] % dh, -size[1] % dw
        top, left = down // 2, across // 2
        padded = np.pad(x, ((0, 0), (0, 0), (top, down - top), (left, across - left)))
        rows, columns = padded.shape[2:]
        places = [(r, c) for r in range(rows) for c in range(columns)]
        far = [
            [r * columns + c for r, c in places if (r % dh, c % dw) == (i, j)]
            for i in range(dh)
            for j in range(dw)
        ]
        close = [
            [r * columns + c for r, c in places if (r // dh, c // dw) == (i, j)]
            for i in range(rows // dh)
            for j in range(columns // dw)
        ]
        name = f"stages.{stage}."
        long, far_matrices = _attend(file, f"{name}long_range_sa", padded, dims, far)
        short, close_matrices = _attend(file, f"{name}short_range_sa", long, dims, close)
        contexts.append(short[:, :, top : top + size[0], left : left + size[1]])
        if stage == 0:
            file.give(attention__long_range=far_matrices, attention__short_range=close_matrices)
    y = x
    if len(blocks) > 1:
        y = relu(conv_bn(file, "up_conv.0", "up_conv.1.0", x, out * len(blocks)))
    both = np.concatenate([y, *contexts], axis=1)
    return file.give(output=relu(conv_bn(file, "conv_bn.0", "conv_bn.1.0", both, out)))
