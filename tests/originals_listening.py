"""Plain numpy versions of the originals that listen: windows, masks, regions, patterns, tokens.

As in ``originals``: written from the equations, sharing no code with ``models``; loops over places
and over what each of them hears.
"""

from __future__ import annotations

from math import erf

import numpy as np

from tests.originals import Array, Original, flat, relu, softmax

Size = tuple[int, int]


def at(x: Array, i: int, j: int, mirror: bool = False) -> Array:
    """What (batch, channel) are at a cell; nothing beyond the border, or the cell mirrored."""
    rows, columns = x.shape[2:]
    if mirror:
        i, j = abs(i), abs(j)
        i, j = i if i < rows else 2 * (rows - 1) - i, j if j < columns else 2 * (columns - 1) - j
    if 0 <= i < rows and 0 <= j < columns:
        return x[:, :, i, j]
    return np.zeros(x.shape[:2])


def window(
    x: Array, i: int, j: int, kernel: int, gap: int = 1, mirror: bool = False, up: int | None = None
) -> Array:
    """(batch, channel, entry) around a place, row by row."""
    before = kernel // 2 if up is None else up
    seen = [
        at(x, i + (a - before) * gap, j + (b - before) * gap, mirror)
        for a in range(kernel)
        for b in range(kernel)
    ]
    return np.stack(seen, axis=2)


def lrnet(seed: int, size: Size, channels: int, kernel: int, m: int, by_row: bool) -> Original:
    kwargs = {"channels": channels, "k": kernel, "stride": 1, "padding": kernel // 2, "m": m}
    variant = "anonymous_so" if by_row else ""
    file = Original("lrnet", variant, "LocalRelationalLayer", kwargs, seed, size)
    x, groups = file.input(channels), channels // m
    query, key = file.conv1("qmap.l", x, groups), file.conv1("kmap.l", x, groups)
    offsets = np.zeros((1, 2, kernel, kernel))
    for a in range(kernel):
        for b in range(kernel):
            offsets[0, :, a, b] = b - kernel // 2, kernel // 2 - a
    hidden = relu(file.conv1("gp.l1", offsets, groups // 2))
    geometry = file.conv1("gp.l2", hidden, groups)[0].reshape(groups, -1)
    y, weights = np.zeros_like(x), np.zeros((2, groups, size[0] * size[1], kernel**2))
    for i in range(size[0]):
        for j in range(size[1]):
            logits = window(key, i, j, kernel) * query[:, :, i, j, None] + geometry
            if by_row:
                lines = logits.reshape(2, groups, kernel, kernel)
                w = softmax(lines).reshape(logits.shape)
            else:
                w = softmax(logits)
            weights[:, :, i * size[1] + j] = w
            seen = window(x, i, j, kernel)
            for c in range(channels):
                y[:, c, i, j] = (w[:, c % groups] * seen[:, c]).sum(1)
    return file.give(output=file.conv1("final1x1", y, channels), attention__weights=weights)


def san(
    seed: int, size: Size, kind: int, channels: int, rel: int, out: int, share: int,
    kernel: int = 3, dilation: int = 1,
) -> Original:  # fmt: skip
    kwargs = {
        "sa_type": kind, "in_planes": channels, "rel_planes": rel, "out_planes": out,
        "share_planes": share, "kernel_size": kernel, "dilation": dilation,
    }  # fmt: skip
    file = Original("san", "", "SAM", kwargs, seed, size)
    x, maps, entries = file.input(channels), out // share, kernel**2
    own, other = file.conv1("conv1", x, rel), file.conv1("conv2", x, rel)
    value = file.conv1("conv3", x, out)
    rows, columns = size
    places = np.zeros((1, 2, rows, columns))
    places[0, 0] = np.linspace(-1, 1, columns)
    places[0, 1] = np.linspace(-1, 1, rows)[:, None]
    if kind == 0:
        places = file.conv1("conv_p", places, 2)
        places = np.repeat(places, 2, axis=0)
        related = np.zeros((2, rel + 2, entries, rows * columns))
    else:
        related = np.zeros((2, rel * (entries + 1), 1, rows * columns))
    for i in range(rows):
        for j in range(columns):
            here = i * columns + j
            if kind == 0:
                apart = own[:, :, i, j, None] - window(other, i, j, kernel, dilation, True)
                moved = places[:, :, i, j, None] - window(places, i, j, kernel, dilation, True)
                related[:, :, :, here] = np.concatenate([apart, moved], axis=1)
            else:
                around = window(other, i, j, kernel, 1, True).reshape(2, -1)
                related[:, :, 0, here] = np.concatenate([own[:, :, i, j], around], axis=1)
    hidden = relu(file.norm("conv_w.0", related))
    if kind == 0:
        hidden = relu(file.norm("conv_w.3", file.conv1("conv_w.2", hidden, rel, bias=False)))
        weights = file.conv1("conv_w.5", hidden, maps)
        weights = softmax(weights.swapaxes(2, 3)).swapaxes(2, 3)
    else:
        hidden = relu(file.norm("conv_w.3", file.conv1("conv_w.2", hidden, maps, bias=False)))
        made = file.conv1("conv_w.5", hidden, entries * maps)
        weights = made.reshape(2, maps, entries, rows * columns)
    y = np.zeros((2, out, rows, columns))
    for i in range(rows):
        for j in range(columns):
            seen = window(value, i, j, kernel, dilation, True)
            for c in range(out):
                y[:, c, i, j] = (weights[:, c % maps, :, i * columns + j] * seen[:, c]).sum(1)
    return file.give(output=y, attention__weights=weights)


def sasa(seed: int, size: Size, channels: int, out: int, kernel: int, bias: bool) -> Original:
    kwargs = {
        "in_channels": channels, "out_channels": out, "kernel_size": kernel, "stride": 1,
        "padding": kernel // 2, "groups": 1, "bias": bias,
    }  # fmt: skip
    file = Original("sasa", "", "SelfAttentionConv2d", kwargs, seed, size)
    x = file.input(channels)
    q, k, v = (file.conv1(f"weight_{n}", x, out, bias=False) for n in ("query", "key", "value"))
    across, down = (file.parameter(f"relative_{n}", out // 2, kernel) for n in "xy")
    y, weights = np.zeros_like(q), np.zeros((2, *size, kernel**2))
    for i in range(size[0]):
        for j in range(size[1]):
            keys = window(k, i, j, kernel)
            for n in range(kernel**2):
                keys[:, :, n] += np.concatenate([across[:, n % kernel], down[:, n // kernel]])
            w = softmax((q[:, :, i, j, None] * keys).sum(1))
            weights[:, i, j] = w
            y[:, :, i, j] = (w[:, None] * window(v, i, j, kernel)).sum(2)
    if bias:
        y = y + file.parameter("bias", 1, out, 1, 1)
    return file.give(output=y, attention__weights=weights)


def sasa_channels(seed: int, size: Size, channels: int, out: int, groups: int) -> Original:
    kwargs = {
        "in_channels": channels, "out_channels": out, "kernel_size": 3, "padding": 1,
        "groups": groups, "bias": True,
    }  # fmt: skip
    file = Original("sasa", "leaderj1001", "AttentionConv", kwargs, seed, size)
    x = file.input(channels)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    q = file.conv1("query_conv", x, out)
    k, v = (file.conv1(f"{n}_conv", padded, out) for n in ("key", "value"))
    down = file.parameter("rel_h", out // 2, 1, 1, 3, 1).reshape(-1, 3)
    across = file.parameter("rel_w", out // 2, 1, 1, 1, 3).reshape(-1, 3)
    y, weights = np.zeros_like(q), np.zeros((2, out, *size, 9))
    for i in range(size[0]):
        for j in range(size[1]):
            keys = window(k, i + 1, j + 1, 3)
            for n in range(9):
                keys[:, :, n] += np.concatenate([down[:, n // 3], across[:, n % 3]])
            w = softmax(q[:, :, i, j, None] * keys)
            weights[:, :, i, j] = w
            y[:, :, i, j] = (w * window(v, i + 1, j + 1, 3)).sum(2)
    heads = weights.reshape(2, groups, out // groups, *size, 9)
    return file.give(output=y, attention__weights=heads)


def carafe(
    seed: int, size: Size, channels: int, factor: int, kernel: int, groups: int, inner: int
) -> Original:
    kwargs = {
        "channels": channels, "scale_factor": factor, "up_kernel": kernel, "up_group": groups,
        "encoder_kernel": 3, "compressed_channels": inner,
    }  # fmt: skip
    file = Original("carafe", "", "CARAFEPack", kwargs, seed, size)
    x, entries = file.input(channels), groups * kernel**2
    encoded = file.conv(
        "content_encoder", file.conv1("channel_compressor", x, inner), entries * factor**2, 3
    )
    encoded = encoded + file.parameter("content_encoder.bias", entries * factor**2)[:, None, None]
    fine = (size[0] * factor, size[1] * factor)
    kernels, y = np.zeros((2, entries, *fine)), np.zeros((2, channels, *fine))
    for i in range(fine[0]):
        for j in range(fine[1]):
            sub = (i % factor) * factor + j % factor
            logits = encoded[:, sub :: factor**2, i // factor, j // factor]
            w = softmax(logits.reshape(2, groups, -1))
            kernels[:, :, i, j] = w.reshape(2, -1)
            seen = window(x, i // factor, j // factor, kernel)
            for c in range(channels):
                y[:, c, i, j] = (w[:, c // (channels // groups)] * seen[:, c]).sum(1)
    return file.give(output=y, attention__kernels=kernels)


def psanet(
    seed: int, size: Size, channels: int, inner: int, kind: int, mask: Size, soft: bool = True,
    divisor: float | None = 1.0, compact: bool = False,
) -> Original:  # fmt: skip
    kwargs = {
        "in_channels": channels, "mid_channels": inner, "psa_type": kind, "compact": compact,
        "shrink_factor": 1, "mask_h": mask[0], "mask_w": mask[1], "psa_softmax": soft,
        "normalization_factor": divisor,
    }  # fmt: skip
    file = Original("psanet", "", "PSA", kwargs, seed, size)
    x, places = file.input(channels), size[0] * size[1]
    found = []
    branches = {0: ("collect",), 1: ("distribute",), 2: ("collect", "distribute")}[kind]
    for end, name in zip(("", "_p"), branches, strict=False):
        low = relu(file.norm(f"reduce{end}.1", file.conv1(f"reduce{end}.0", x, inner, False)))
        hidden = file.conv1(f"attention{end}.0", low, inner, False)
        hidden = relu(file.norm(f"attention{end}.1", hidden))
        raw = file.conv1(f"attention{end}.3", hidden, mask[0] * mask[1], False)
        logits = np.zeros((2, places, places))  # speaking, hearing
        for a in range(places):
            for b in range(places):
                made, other = (b, a) if name == "collect" else (a, b)
                if compact:
                    logits[:, a, b] = flat(raw)[:, other, made]
                    continue
                down = other // size[1] - made // size[1] + mask[0] // 2
                right = other % size[1] - made % size[1] + mask[1] // 2
                if 0 <= down < mask[0] and 0 <= right < mask[1]:
                    logits[:, a, b] = flat(raw)[:, down * mask[1] + right, made]
        weights = softmax(logits.swapaxes(1, 2)).swapaxes(1, 2) if soft else logits
        heard = np.einsum("bca,bah->bch", flat(low), weights)
        found.append(heard.reshape(low.shape) / (divisor or mask[0] * mask[1]))
        file.give(**{f"attention__{name}": weights, f"attention__raw_mask__{name}": raw})
    joined = file.conv1("proj.0", np.concatenate(found, axis=1), channels, False)
    y = relu(file.norm("proj.1", joined))
    return file.give(output=np.concatenate([x, y], axis=1))


def dgmn_still(seed: int, size: Size, channels: int, group: int, gaps: list[int]) -> Original:
    kwargs = {"channels": channels, "group": group, "dilation": gaps, "deform": "none"}
    file = Original("dgmn", "none", "ReDynamicWeightsCat33", kwargs, seed, size)
    x = file.input(channels)
    y = x.copy()
    for index, gap in enumerate(gaps):
        kernel = file.parameter(f"cat{'abcd'[index]}.weight", group * 9, channels, 3, 3)
        gamma = file.parameter(f"gamma{index + 1}", 1)
        weights = np.zeros((2, group, size[0] * size[1], 9))
        for i in range(size[0]):
            for j in range(size[1]):
                seen = window(x, i, j, 3, gap)
                logits = np.einsum("ock,bck->bo", kernel.reshape(group * 9, channels, 9), seen)
                w = softmax(logits.reshape(2, group, 9))
                weights[:, :, i * size[1] + j] = w
                for c in range(channels):
                    y[:, c, i, j] += gamma * (w[:, c // (channels // group)] * seen[:, c]).sum(1)
        file.give(**{f"attention__weights__dilation{index}": weights})
    return file.give(output=y)


def between(x: Array, row: Array, column: Array) -> Array:
    """(batch, channel) at a point between cells, one point for each picture."""
    total = np.zeros(x.shape[:2])
    for item in range(len(x)):
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                near = max(0, 1 - abs(row[item] - i)) * max(0, 1 - abs(column[item] - j))
                total[item] += near * x[item, :, i, j]
    return total


def dgmn_walking(seed: int, size: Size, channels: int, group: int, gaps: list[int]) -> Original:
    kwargs = {"channels": channels, "group": group, "dilation": gaps, "deform": "deformatt"}
    file = Original("dgmn", "", "ReDynamicWeightsCat33", kwargs, seed, size)
    x = file.input(channels)
    y = x.copy()
    for index, gap in enumerate(gaps):
        letter = "abcd"[index]
        walk = file.parameter(f"off_conv{letter}.weight", 18, channels, 3, 3)
        kernel = file.parameter(f"kernel_conv{letter}.weight", group * 9 + 9, channels, 3, 3)
        gamma = file.parameter(f"gamma{index + 1}", 1)
        weights = np.zeros((2, group, size[0] * size[1], 9))
        affinity = np.zeros((2, 1, size[0] * size[1], 9))
        offsets = np.zeros((2, 18, *size))
        for i in range(size[0]):
            for j in range(size[1]):
                around = window(x, i, j, 3, gap)
                moved = np.einsum("ock,bck->bo", walk.reshape(18, channels, 9), around)
                offsets[:, :, i, j] = moved
                seen = np.stack(
                    [
                        between(
                            x,
                            i + (n // 3 - 1) * gap + moved[:, 2 * n],
                            j + (n % 3 - 1) * gap + moved[:, 2 * n + 1],
                        )
                        for n in range(9)
                    ],
                    axis=2,
                )
                made = np.einsum("ock,bck->bo", kernel.reshape(-1, channels, 9), seen)
                filters = made[:, : group * 9]
                a = softmax((filters if index == 3 else made)[:, -9:])
                w = filters.reshape(2, group, 9) * a[:, None]
                here = i * size[1] + j
                weights[:, :, here], affinity[:, 0, here] = w, a
                for c in range(channels):
                    y[:, c, i, j] += gamma * (w[:, c // (channels // group)] * seen[:, c]).sum(1)
        file.give(
            **{
                f"attention__weights__dilation{index}": weights,
                f"attention__affinity__dilation{index}": affinity,
                f"attention__offsets__dilation{index}": offsets,
            }
        )
    return file.give(output=y)


def graph_unit(seed: int, size: Size, d: int, nodes: int, out: int) -> Original:
    kwargs = {"batch": 2, "h": size[0], "w": size[1], "d": d, "V": nodes, "outfeatures": out}
    file = Original("beyond_grids", "", "GCU", kwargs, seed, size)
    x = file.tensors["input"] = file.draw(2, *size, d, scale=0.8)
    anchors, weight = file.parameter("W", d, nodes), file.parameter("weight", d, out)
    spread = (np.abs(file.draw(d, nodes)) + 1.5).astype(np.float32).astype(np.float64)
    file.tensors["param.variance"] = spread
    apart = (x.reshape(2, -1, d, 1) - anchors) / spread
    q = softmax(-0.5 * (apart**2).sum(2))
    z = np.einsum("bnk,bndk->bdk", q, apart) / q.sum(1)[:, None]
    z = z / (z**2).sum(1, keepdims=True)
    adjacency = np.einsum("bdk,bdl->bkl", z, z)
    y = q @ relu(adjacency @ z.swapaxes(1, 2) @ weight)
    file.tensors["output.0"], file.tensors["output.1"] = y.reshape(2, out, *size), y
    return file.give(attention__assignment=q, attention__nodes=z, attention__adjacency=adjacency)


def gelu(x: Array) -> Array:
    return x * 0.5 * (1 + np.vectorize(erf)(x / 2**0.5))
