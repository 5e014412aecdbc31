"""Plain numpy versions of the originals of ten gates, to make more reference files.

As in ``originals``: written from the equations, sharing no code with ``models``. Sums over places,
pairs and frequencies are loops, so that they cannot go wrong in the way that ours could.
"""

from __future__ import annotations

import math

import numpy as np

from tests.originals import Array, Original, relu, sigmoid, softmax

Size = tuple[int, int]


def eca_layer(seed: int, size: Size, channel: int, k_size: int | None = None) -> Original:
    kwargs: dict[str, object] = {"channel": channel}
    if k_size is not None:
        kwargs["k_size"] = k_size
    file = Original("eca", "", "eca_layer", kwargs, seed, size)
    x = file.input(channel)
    weight = file.parameter("conv.weight", 1, 1, k_size or 3)[0, 0]
    means, half = x.mean((2, 3)), len(weight) // 2
    logits = np.zeros_like(means)
    for c in range(channel):
        for j, w in enumerate(weight):
            if 0 <= c + j - half < channel:
                logits[:, c] += w * means[:, c + j - half]
    gate = sigmoid(logits)
    return file.give(output=x * gate[:, :, None, None], attention__channel=gate)


def srm_layer(seed: int, size: Size, channel: int, **kwargs: object) -> Original:
    file = Original("srm", "", "SRMLayer", {"channel": channel, **kwargs}, seed, size)
    x = file.input(channel)
    weight = file.parameter("cfc", channel, 2)
    mean = x.mean((2, 3))
    spread = ((x - mean[:, :, None, None]) ** 2).sum((2, 3)) / (size[0] * size[1] - 1)
    style = weight[:, 0] * mean + weight[:, 1] * np.sqrt(spread + 1e-5)
    gate = sigmoid(file.norm("bn", style[:, :, None, None]))
    return file.give(output=x * gate, attention__channel=gate[:, :, 0, 0])


def gct(
    seed: int, size: Size, channels: int, mode: str, epsilon: float, after_relu: bool = False
) -> Original:
    kwargs = {"args": [channels, epsilon], "mode": mode, "after_relu": after_relu}
    file = Original("gct", mode, "GCT", kwargs, seed, size)
    x = file.input(channels)
    if after_relu:
        x = file.tensors["input"] = relu(x)
    alpha, gamma, beta = (
        file.parameter(name, 1, channels, 1, 1)[0, :, 0, 0] for name in ("alpha", "gamma", "beta")
    )
    if mode == "l2":
        embedded = alpha * np.sqrt((x**2).sum((2, 3)) + epsilon)
        scale = gamma / np.sqrt((embedded**2).mean(1, keepdims=True) + epsilon)
    else:
        embedded = alpha * np.abs(x).sum((2, 3))
        scale = gamma / (np.abs(embedded).mean(1, keepdims=True) + epsilon)
    gate = 1 + np.tanh(embedded * scale + beta)
    return file.give(output=x * gate[:, :, None, None], attention__channel=gate)


def dilated(file: Original, name: str, x: Array, gap: int) -> Array:
    """A 3 x 3 convolution with a bias whose cells are ``gap`` apart, of as many channels."""
    channels, (rows, columns) = x.shape[1], x.shape[2:]
    weight = file.parameter(f"{name}.weight", channels, channels, 3, 3)
    padded = np.pad(x, ((0, 0), (0, 0), (gap, gap), (gap, gap)))
    y = np.zeros_like(x)
    for i in range(3):
        for j in range(3):
            part = padded[:, :, i * gap : i * gap + rows, j * gap : j * gap + columns]
            y += np.einsum("oc,bchw->bohw", weight[:, :, i, j], part)
    return y + file.parameter(f"{name}.bias", channels)[:, None, None]


def bam(seed: int, size: Size, channels: int) -> Original:
    file = Original("bam", "", "BAM", {"gate_channel": channels}, seed, size)
    x = file.input(channels)
    hidden = channels // 16
    c, s = "channel_att.gate_c.gate_c", "spatial_att.gate_s.gate_s"
    means = x[:, :, :, : size[0]].mean((2, 3), keepdims=True)
    channel = relu(file.norm(f"{c}_bn_1", file.conv1(f"{c}_fc_0", means, hidden)))
    channel = file.conv1(f"{c}_fc_final", channel, channels)
    for name in ("0", "final"):
        weight = file.tensors[f"param.{c}_fc_{name}.weight"]
        file.tensors[f"param.{c}_fc_{name}.weight"] = weight[:, :, 0, 0]
    spatial = relu(file.norm(f"{s}_bn_reduce0", file.conv1(f"{s}_conv_reduce0", x, hidden)))
    for index in range(2):
        spread = dilated(file, f"{s}_conv_di_{index}", spatial, 4)
        spatial = relu(file.norm(f"{s}_bn_di_{index}", spread))
    spatial = file.conv1(f"{s}_conv_final", spatial, 1)
    gate = sigmoid(channel * spatial)
    return file.give(
        output=(1 + gate) * x,
        attention__gate=gate,
        attention__channel_logit=channel[:, :, 0, 0],
        attention__spatial_logit=spatial,
    )


def scse(seed: int, size: Size, channels: int, reduction: int | None = None) -> Original:
    kwargs: dict[str, object] = {"num_channels": channels}
    if reduction is not None:
        kwargs["reduction_ratio"] = reduction
    file = Original("scse", "", "ChannelSpatialSELayer", kwargs, seed, size)
    x = file.input(channels)
    hidden = channels // (reduction or 2)
    means = x.mean((2, 3), keepdims=True)
    channel = sigmoid(file.conv1("cSE.fc2", relu(file.conv1("cSE.fc1", means, hidden)), channels))
    spatial = sigmoid(file.conv1("sSE.conv", x, 1))
    return file.give(
        output=np.maximum(x * channel, x * spatial),
        attention__channel=channel[:, :, 0, 0],
        attention__spatial=spatial,
    )


def coordinate(seed: int, size: Size, inp: int, oup: int, reduction: int | None = None) -> Original:
    kwargs: dict[str, object] = {"inp": inp, "oup": oup}
    if reduction is not None:
        kwargs["reduction"] = reduction
    file = Original("coordinate", "", "CoordAtt", kwargs, seed, size)
    x = file.input(inp)
    hidden = max(8, inp // (reduction or 32))
    strips = np.concatenate([x.mean(3), x.mean(2)], axis=2)[:, :, :, None]
    encoded = file.norm("bn1", file.conv1("conv1", strips, hidden))
    encoded = encoded * np.clip(encoded + 3, 0, 6) / 6
    height = sigmoid(file.conv1("conv_h", encoded[:, :, : size[0]], oup))
    width = sigmoid(file.conv1("conv_w", encoded[:, :, size[0] :], oup)).swapaxes(2, 3)
    return file.give(
        output=x * height * width,
        attention__height=height,
        attention__width=width,
        attention__joint=height * width,
    )


def adaptive(x: Array, size: Size) -> Array:
    """Means over the cells that adaptive pooling makes."""
    y = np.zeros((*x.shape[:2], *size))
    for i in range(size[0]):
        top, bottom = (i * x.shape[2] // size[0], -(-(i + 1) * x.shape[2] // size[0]))
        for j in range(size[1]):
            left, right = (j * x.shape[3] // size[1], -(-(j + 1) * x.shape[3] // size[1]))
            y[:, :, i, j] = x[:, :, top:bottom, left:right].mean((2, 3))
    return y


def covariance(samples: Array, count: int) -> Array:
    """samples (batch, feature, sample) times (I / n - 11' / n^2) times itself turned."""
    number = samples.shape[2]
    centre = np.eye(number) / count - np.ones((number, number)) / count**2
    return samples @ centre @ samples.swapaxes(1, 2)


def gsop(seed: int, size: Size, planes: int, attention: str, dim: int | None = None) -> Original:
    channels, places = 4 * planes, attention == "2"
    kwargs: dict[str, object] = {"inplanes": channels, "planes": planes, "attention": attention}
    if dim is not None:
        kwargs["att_dim"] = dim
    file = Original("gsop", "", "Bottleneck", kwargs, seed, size)
    dim = dim or 128
    x = file.input(channels)
    branch = relu(file.norm("bn1", file.conv1("conv1", x, planes, bias=False)))
    branch = relu(file.norm("bn2", file.conv("conv2", branch, planes, 3)))
    branch = file.norm("bn3", file.conv1("conv3", branch, channels, bias=False))
    tail, features = ("_for_spatial", 64) if places else ("", dim)
    name = "_spatial" if places else ""
    reduced = file.conv1(f"conv_for_DR{name}", relu(branch), dim)
    # Which places are taken is decided before the norm, which does not look at other places.
    step = 2 if not places and planes <= 64 else 1
    reduced = file.norm(f"bn_for_DR{name}", reduced[:, :, ::step, ::step])
    if places:
        coarse = adaptive(reduced, (8, 8)).reshape(2, dim, 64).swapaxes(1, 2)
        matrix = covariance(coarse, 64)
    else:
        samples = relu(reduced).reshape(2, dim, -1)
        matrix = covariance(samples, samples.shape[2])
    normed = file.norm(f"row_bn{tail}", matrix[:, :, :, None])[:, :, :, 0]
    weight = file.parameter(f"row_conv_group{tail}.weight", 4 * features, 1, features, 1)
    bias = file.parameter(f"row_conv_group{tail}.bias", 4 * features)
    rows = np.stack(
        [normed[:, o // 4] @ weight[o, 0, :, 0] + bias[o] for o in range(4 * features)], axis=1
    )[:, :, None, None]
    out = 64 if places else channels
    gate = sigmoid(file.conv1(f"fc_adapt_channels{tail}", relu(rows) if places else rows, out))
    file.give(attention__covariance=matrix)
    if not places:
        return file.give(output=relu(branch * gate + x), attention__channel=gate[:, :, 0, 0])
    gate = gate.reshape(2, 1, 8, 8)
    resized = adaptive(gate, size)
    return file.give(
        output=relu(relu(branch * resized) + x),
        attention__coarse=gate,
        attention__spatial=resized,
    )


def fca(
    seed: int,
    size: Size,
    channel: int,
    dct: Size,
    method: str | None,
    frequencies: str,
    reduction: int | None = None,
) -> Original:
    """``frequencies`` are those of the method, written by hand in the test: "uv uv ..."."""
    kwargs: dict[str, object] = {"channel": channel, "dct_h": dct[0], "dct_w": dct[1]}
    if reduction is not None:
        kwargs["reduction"] = reduction
    if method is not None:
        kwargs["freq_sel_method"] = method
    file = Original("fca", "", "MultiSpectralAttentionLayer", kwargs, seed, size)
    x = file.input(channel)
    basis = np.zeros((channel, *dct))
    pairs = frequencies.split()
    for c in range(channel):
        u, v = (int(digit) for digit in pairs[c // (channel // len(pairs))])
        u, v = u * (dct[0] // 7), v * (dct[1] // 7)
        for i in range(dct[0]):
            for j in range(dct[1]):
                wave = math.cos(math.pi * u * (i + 0.5) / dct[0])
                wave *= math.cos(math.pi * v * (j + 0.5) / dct[1]) / math.sqrt(dct[0] * dct[1])
                basis[c, i, j] = wave * math.sqrt(2) ** ((u > 0) + (v > 0))
    file.give(param__dct_layer__weight=basis)
    same = x if size == dct else adaptive(x, dct)
    coefficients = (same * basis).sum((2, 3))
    hidden = channel // (reduction or 16)
    w1 = file.parameter("fc.0.weight", hidden, channel)
    w2 = file.parameter("fc.2.weight", channel, hidden)
    gate = sigmoid(relu(coefficients @ w1.T) @ w2.T)
    return file.give(
        output=x * gate[:, :, None, None],
        attention__channel=gate,
        intermediate__frequency=coefficients,
    )


def _encoded(file: Original, prefix: str, z: Array, codewords: int) -> tuple[Array, Array]:
    words = file.parameter(f"{prefix}codewords", codewords, z.shape[1])
    scale = -np.abs(file.parameter(f"{prefix}scale", codewords))
    file.tensors[f"param.{prefix}scale"] = scale
    places = z.reshape(*z.shape[:2], -1).swapaxes(1, 2)
    apart = places[:, :, None] - words
    assigned = softmax(scale * (apart**2).sum(3))
    return assigned, (assigned[..., None] * apart).sum(1)


def encoding(seed: int, size: Size, channels: int, codewords: int) -> Original:
    file = Original("encnet", "encoding", "Encoding", {"D": channels, "K": codewords}, seed, size)
    assigned, encoded = _encoded(file, "", file.input(channels), codewords)
    return file.give(output=encoded, attention__assignment=assigned)


def enc_module(
    seed: int, size: Size, channels: int, classes: int, codewords: int | None, presence: bool
) -> Original:
    kwargs: dict[str, object] = {"args": [channels, classes], "se_loss": presence}
    if codewords is not None:
        kwargs["ncodes"] = codewords
    file = Original("encnet", "", "EncModule", kwargs, seed, size)
    x = file.input(channels)
    z = relu(file.norm("encoding.1", file.conv1("encoding.0", x, channels, bias=False)))
    assigned, encoded = _encoded(file, "encoding.3.", z, codewords or 32)
    context = relu(file.norm("encoding.4", encoded[..., None])[..., 0]).mean(1)
    weight, bias = (
        file.parameter("fc.0.weight", channels, channels),
        file.parameter("fc.0.bias", channels),
    )
    gate = sigmoid(context @ weight.T + bias)
    file.give(
        output__0=relu(x + x * gate[:, :, None, None]),
        attention__assignment=assigned,
        attention__channel=gate,
        intermediate__encoded=encoded,
        intermediate__context=context,
    )
    if presence:
        weight = file.parameter("selayer.weight", classes, channels)
        file.give(output__1=context @ weight.T + file.parameter("selayer.bias", classes))
    return file


def bilinear(seed: int, size: Size, channels: int, gates: int) -> Original:
    kwargs = {"inChannels": channels, "outChannels": gates}
    file = Original("bilinear", "", "BilinearAttention", kwargs, seed, size)
    x = file.input(channels)

    def layer(number: int, y: Array, out: int) -> Array:
        name = f"dimReduceLayer{number}.conv"
        return relu(file.norm(f"{name}.bn", file.conv1(f"{name}.conv", y, out)))

    count = channels // 16
    z = layer(1, x, count)
    pairs = np.stack(
        [z[:, row] * z[:, row - below] for below in range(count) for row in range(below, count)],
        axis=1,
    )
    channel = layer(3, pairs.mean((2, 3), keepdims=True), gates)
    spatial = layer(2, pairs, gates)
    gate = sigmoid(channel * spatial)
    return file.give(
        output=x * gate,
        attention__gate=gate,
        intermediate__reduced=z,
        intermediate__channel=channel[:, :, 0, 0],
        intermediate__spatial_channel=spatial,
    )
