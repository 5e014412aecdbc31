"""Plain numpy versions of the originals of five mechanisms that share out, relate or choose.

As in ``originals``: written from the equations, sharing no code with ``models``. Relations are
whole matrices, and every picture's kernel is mixed and applied by itself.
"""

from __future__ import annotations

import numpy as np

from tests.originals import Array, Original, relu, sigmoid, softmax
from tests.originals_features import Size, convolved, stretched

SCA = "lstm_cond_layer/_step, lines computing alpha_1, alpha_2, context_branch2b"
CONDCONV = (
    "CondConv2d (+ routing exactly as timm/models/_efficientnet_blocks.py CondConvResidual: "
    "Linear on global average, sigmoid)"
)


def sca(seed: int, size: Size, channels: int, hidden: int, state: int) -> Original:
    file = Original("sca_cnn", "", SCA, {}, seed, size)
    x = file.tensors["input.0"] = file.draw(2, channels, *size, scale=0.8)
    h = file.tensors["input.1"] = file.draw(2, state)

    def scores(layer: int, described: Array) -> Array:
        name = f"att_res5c_branch2b_{layer}"
        inner = described @ file.parameter(f"Wc_{name}", described.shape[2], hidden)
        inner += file.parameter(f"b_{name}", hidden)
        inner += (h @ file.parameter(f"Wd_{name}", state, hidden))[:, None]
        score = np.tanh(inner) @ file.parameter(f"U_{name}", hidden, 1)
        return softmax((score + file.parameter(f"c_{name}", 1))[:, :, 0])

    channel = scores(1, x.mean((2, 3))[:, :, None])
    weighed = x * channel[:, :, None, None] * channels
    places = weighed.reshape(2, channels, -1).transpose(0, 2, 1)
    spatial = scores(2, places).reshape(2, 1, *size)
    output = weighed * spatial * size[0] * size[1]
    return file.give(output=output, attention__channel=channel, attention__spatial=spatial)


def _relations(
    file: Original, side: str, nodes: Array, inner: int, related: int, down: int
) -> tuple[Array, Array]:
    """From nodes (batch, feature, node, 1), their gates (batch, node) and the relations."""

    def embedded(name: str, given: Array, out: int) -> Array:
        return file.norm(f"{name}_{side}.1", file.conv1(f"{name}_{side}.0", given, out, False))

    look, theta, phi = (relu(embedded(name, nodes, inner)) for name in ("gx", "theta", "phi"))
    matrix = np.einsum("bci,bcj->bij", theta[..., 0], phi[..., 0])
    count = matrix.shape[1]
    stack = np.zeros((len(matrix), 2 * count, count, 1))
    for node in range(count):
        # What the node asks of all, then what all ask of it.
        stack[:, :count, node, 0] = matrix[:, node, :]
        stack[:, count:, node, 0] = matrix[:, :, node]
    structure = relu(embedded("gg", stack, related))
    described = np.concatenate([look.mean(1, keepdims=True), structure], axis=1)
    hidden = relu(embedded("W", described, (1 + related) // down))
    last = file.conv1(f"W_{side}.3", hidden, 1, False)
    return sigmoid(file.norm(f"W_{side}.4", last))[:, 0, :, 0], matrix


def rga(
    seed: int, size: Size, channels: int, ratios: tuple[int, int, int] | None, **use: bool
) -> Original:
    places = size[0] * size[1]
    given: dict[str, object] = {"in_channel": channels, "in_spatial": places, **use}
    if ratios is not None:
        given |= dict(zip(("cha_ratio", "spa_ratio", "down_ratio"), ratios, strict=True))
    cha, spa, down = ratios or (8, 8, 8)
    file = Original("rga", "", "RGA_Module", given, seed, size)
    x = file.input(channels)
    if use.get("use_spatial", True):
        nodes = x.reshape(2, channels, places, 1)
        gate, matrix = _relations(file, "spatial", nodes, channels // cha, places // spa, down)
        x = x * gate.reshape(2, 1, *size)
        file.give(attention__spatial=gate.reshape(2, 1, *size), attention__spatial_relation=matrix)
    if use.get("use_channel", True):
        nodes = x.reshape(2, channels, places).transpose(0, 2, 1)[..., None]
        gate, matrix = _relations(file, "channel", nodes, places // spa, channels // cha, down)
        x = x * gate[:, :, None, None]
        file.give(attention__channel=gate, attention__channel_relation=matrix)
    return file.give(output=x)


def selective_kernel(
    seed: int, size: Size, channels: int, hidden: int, **kwargs: object
) -> Original:
    """``hidden`` is the width that the original's arguments lead to."""
    file = Original("sknet", "", "SelectiveKernel", {"args": [channels], **kwargs}, seed, size)
    x = file.input(channels)
    out = int(str(kwargs.get("out_channels", channels)))
    asked = kwargs.get("kernel_size", [3, 5])
    kernels = asked if isinstance(asked, list) else [asked, asked]
    groups, stride = (int(str(kwargs.get(name, 1))) for name in ("groups", "stride"))
    dilation = int(str(kwargs.get("dilation", 1)))
    parts = [x] * len(kernels)
    if kwargs.get("split_input", True):
        parts = np.split(x, len(kernels), axis=1)
    paths = []
    for index, (kernel, part) in enumerate(zip(kernels, parts, strict=True)):
        small = kwargs.get("keep_3x3", True)
        side, gap = (3, dilation * (kernel - 1) // 2) if small else (kernel, dilation)
        border = ((stride - 1 + gap * (side - 1)) // 2,) * 2
        shape = (out, part.shape[1] // groups, side, side)
        weight = file.parameter(f"paths.{index}.conv.weight", *shape)
        made = convolved(weight, part, stride, border, gap, groups)
        paths.append(relu(file.norm(f"paths.{index}.bn", made)))
        file.give(**{f"intermediate__path{index}": paths[-1]})
    total = np.sum(paths, axis=0).mean((2, 3), keepdims=True)
    z = relu(file.norm("attn.bn", file.conv1("attn.fc_reduce", total, hidden, False)))
    logits = file.conv1("attn.fc_select", z, len(paths) * out, False)
    by_branch = logits.reshape(2, len(paths), out)
    branch = softmax(by_branch.transpose(0, 2, 1)).transpose(0, 2, 1)
    output = sum(branch[:, n, :, None, None] * path for n, path in enumerate(paths))
    return file.give(output=np.asarray(output), attention__branch=branch)


def sk_conv(
    seed: int, size: Size, features: int, hidden: int, M: int, G: int, r: int, **rest: int
) -> Original:
    kwargs: dict[str, object] = {
        "features": features,
        "WH": size[0],
        "M": M,
        "G": G,
        "r": r,
        **rest,
    }
    file = Original("sknet", "ppplang", "SKConv", kwargs, seed, size)
    x, stride, paths = file.input(features), rest.get("stride", 1), []
    for index in range(M):
        side = 3 + 2 * index
        weight = file.parameter(f"convs.{index}.0.weight", features, features // G, side, side)
        made = convolved(weight, x, stride, (1 + index, 1 + index), groups=G)
        made = made + file.parameter(f"convs.{index}.0.bias", features)[:, None, None]
        paths.append(relu(file.norm(f"convs.{index}.1", made)))
    total = np.sum(paths, axis=0).mean((2, 3))
    z = total @ file.parameter("fc.weight", hidden, features).T + file.parameter("fc.bias", hidden)
    logits = [
        z @ file.parameter(f"fcs.{n}.weight", features, hidden).T
        + file.parameter(f"fcs.{n}.bias", features)
        for n in range(M)
    ]
    branch = softmax(np.stack(logits, axis=2)).transpose(0, 2, 1)
    output = sum(branch[:, n, :, None, None] * path for n, path in enumerate(paths))
    return file.give(output=np.asarray(output), attention__branch=branch)


def _mixed(
    weights: Array, routing: Array, x: Array, shape: tuple[int, ...], stride: int, gap: int,
    groups: int, padding: object = "",
) -> Array:  # fmt: skip
    results = []
    for picture, shares in zip(x, routing, strict=True):
        kernel = sum(share * weight for share, weight in zip(shares, weights, strict=True))
        reach = gap * (shape[2] - 1)
        border = padding if isinstance(padding, int) else (stride - 1 + reach) // 2
        given = picture[None]
        if padding == "same":
            missing = [max(0, (-(-n // stride) - 1) * stride + reach + 1 - n) for n in x.shape[2:]]
            edges = [(n // 2, n - n // 2) for n in missing]
            given, border = np.pad(given, [(0, 0), (0, 0), *edges]), 0
        border = 0 if padding == "valid" else border
        made = np.asarray(kernel).reshape(shape)
        results.append(convolved(made, given, stride, (border, border), gap, groups)[0])
    return np.stack(results)


def _routing(file: Original, x: Array, experts: int) -> Array:
    weight = file.parameter("routing_fn.weight", experts, x.shape[1])
    return sigmoid(x.mean((2, 3)) @ weight.T + file.parameter("routing_fn.bias", experts))


def cond_conv(seed: int, size: Size, channels: int, out: int, **kwargs: object) -> Original:
    given = {"in_channels": channels, "out_channels": out, **kwargs}
    file = Original("condconv", "", CONDCONV, given, seed, size)
    x, experts = file.input(channels), int(str(kwargs.get("num_experts", 4)))
    side, groups = (int(str(kwargs.get(n, v))) for n, v in (("kernel_size", 3), ("groups", 1)))
    stride, gap = (int(str(kwargs.get(name, 1))) for name in ("stride", "dilation"))
    shape = (out, channels // groups, side, side)
    routing = _routing(file, x, experts)
    weights = file.parameter("conv.weight", experts, int(np.prod(shape)))
    output = _mixed(weights, routing, x, shape, stride, gap, groups, kwargs.get("padding", ""))
    if kwargs.get("bias"):
        output = output + (routing @ file.parameter("conv.bias", experts, out))[:, :, None, None]
    return file.give(output=output, attention__routing=routing)


def cond_residual(
    seed: int, size: Size, channels: int, out: int, inner: int, experts: int, **kwargs: object
) -> Original:
    """``inner`` is the width that the original's arguments lead to."""
    given = {"args": [channels, out], "num_experts": experts, **kwargs}
    file = Original("condconv", "block", "CondConvResidual", given, seed, size)
    x = file.input(channels)
    routing = _routing(file, x, experts)
    side, stride = (int(str(kwargs.get(n, v))) for n, v in (("dw_kernel_size", 3), ("stride", 1)))

    def conv(name: str, given: Array, shape: tuple[int, ...], step: int, groups: int) -> Array:
        weights = file.parameter(f"{name}.weight", experts, int(np.prod(shape)))
        return _mixed(weights, routing, given, shape, step, 1, groups)

    wide = relu(file.norm("bn1", conv("conv_pw", x, (inner, channels, 1, 1), 1, 1)))
    deep = relu(file.norm("bn2", conv("conv_dw", wide, (inner, 1, side, side), stride, inner)))
    narrow = file.norm("bn3", conv("conv_pwl", deep, (out, inner, 1, 1), 1, 1))
    short = channels == out and stride == 1 and not kwargs.get("noskip")
    return file.give(output=narrow + x if short else narrow, attention__routing=routing)


def grid_gate(
    seed: int, size: Size, channels: int, gating: tuple[int, Size], inner: int, **kwargs: object
) -> Original:
    """``gating`` is the channels and the size of the signal, ``inner`` the embeddings' width."""
    given = {"in_channels": channels, "gating_channels": gating[0], **kwargs}
    file = Original("attention_gate", "", "GridAttentionBlock2D", given, seed, size)
    x = file.tensors["input.0"] = file.draw(2, channels, *size, scale=0.8)
    g = file.tensors["input.1"] = file.draw(2, gating[0], *gating[1], scale=0.8)
    factor, mode = kwargs.get("sub_sample_factor", [2, 2]), kwargs.get("mode", "concatenation")
    cells = factor if isinstance(factor, list) else [factor, factor]
    rows, columns = (side // cell for side, cell in zip(size, cells, strict=True))
    weight = file.parameter("theta.weight", inner, channels, *cells)
    theta = np.zeros((2, inner, rows, columns))
    for i in range(rows):
        for j in range(columns):
            part = x[:, :, i * cells[0] : (i + 1) * cells[0], j * cells[1] : (j + 1) * cells[1]]
            theta[:, :, i, j] = np.einsum("ocij,bcij->bo", weight, part)
    both = theta + stretched(file.conv1("phi", g, inner), (rows, columns), corners=False)
    active = np.log1p(np.exp(both)) if mode == "concatenation_debug" else relu(both)
    score = file.conv1("psi", active, 1)
    soft = mode == "concatenation_residual"
    coarse = softmax(score.reshape(2, -1)).reshape(score.shape) if soft else sigmoid(score)
    spatial = stretched(coarse, size, corners=False)
    output = file.norm("W.1", file.conv1("W.0", spatial * x, channels))
    file.tensors |= {"output.0": output, "output.1": spatial}
    return file.give(attention__spatial=spatial, attention__coarse=coarse)


def simple_gate(seed: int, size: Size, gating: int, channels: int, inner: int) -> Original:
    kwargs: dict[str, object] = {"F_g": gating, "F_l": channels, "F_int": inner}
    file = Original("attention_gate", "simple", "Attention_block", kwargs, seed, size)
    g = file.tensors["input.0"] = file.draw(2, gating, *size, scale=0.8)
    x = file.tensors["input.1"] = file.draw(2, channels, *size, scale=0.8)
    from_g = file.norm("W_g.1", file.conv1("W_g.0", g, inner))
    from_x = file.norm("W_x.1", file.conv1("W_x.0", x, inner))
    gate = sigmoid(file.norm("psi.1", file.conv1("psi.0", relu(from_g + from_x), 1)))
    return file.give(output=x * gate, attention__spatial=gate)
