"""Plain numpy versions of the originals of five mechanisms that gate or gather features.

As in ``originals``: written from the equations, sharing no code with ``models``. Convolutions,
pooling and stretching are loops over windows and cells.
"""

from __future__ import annotations

import math

import numpy as np

from tests.originals import Array, Original, relu, sigmoid
from tests.originals_gates import adaptive

Size = tuple[int, int]


def windows(x: Array, kernel: Size, stride: int, padding: Size, fill: float) -> Array:
    """Every window of a padded map: (batch, channel, row, column, i, j)."""
    edges = ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2)
    padded = np.pad(x, edges, constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    return seen[:, :, ::stride, ::stride]


def convolved(
    weight: Array, x: Array, stride: int = 1, padding: Size = (1, 1), gap: int = 1, groups: int = 1
) -> Array:
    """A convolution whose numbers are ``gap`` cells apart, group by group."""
    rows, columns = (gap * (side - 1) + 1 for side in weight.shape[2:])
    seen = windows(x, (rows, columns), stride, padding, 0.0)[..., ::gap, ::gap]
    given = np.split(seen, groups, axis=1)
    parts = np.split(weight, groups, axis=0)
    made = [np.einsum("ocij,bchwij->bohw", w, part) for w, part in zip(parts, given, strict=True)]
    return np.concatenate(made, axis=1)


def nearest(x: Array, size: Size) -> Array:
    rows = [math.floor(r * x.shape[2] / size[0]) for r in range(size[0])]
    columns = [math.floor(c * x.shape[3] / size[1]) for c in range(size[1])]
    return x[:, :, rows][:, :, :, columns]


def stretched(x: Array, size: Size, corners: bool) -> Array:
    """Bilinear interpolation, corner cells on corner cells or outer edges on outer edges."""
    for axis, wanted in ((2, size[0]), (3, size[1])):
        side = x.shape[axis]
        place = np.arange(wanted)
        if corners:
            at = place * ((side - 1) / (wanted - 1) if wanted > 1 else 0.0)
        else:
            at = np.clip((place + 0.5) * side / wanted - 0.5, 0, None)
        low = np.minimum(np.floor(at).astype(int), side - 1)
        high = np.minimum(low + 1, side - 1)
        share = (at - low).reshape([-1 if n == axis else 1 for n in range(4)])
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


# Gather-Excite.


def _gather(file: Original, x: Array, names: list[tuple[str, str]]) -> Array:
    for index, (conv, norm) in enumerate(names):
        weight = file.parameter(conv, x.shape[1], 1, 3, 3)
        x = file.norm(norm, convolved(weight, x, stride=2, groups=x.shape[1]))
        x = relu(x) if index < len(names) - 1 else x
    return x


def gather_excite(
    seed: int, size: Size, channels: int, hidden: int | None = None, **kwargs: object
) -> Original:
    """``hidden`` is the width that the original's arguments lead to, where there is a mlp."""
    given = {"channels": channels, **kwargs}
    file = Original("genet", "x", "GatherExcite", given, seed, size)
    x = file.input(channels)
    extent, add_max = int(str(kwargs.get("extent", 0))), kwargs.get("add_maxpool", False)
    if kwargs.get("extra_params") and extent:
        count = int(math.log2(extent))
        names = [(f"gather.conv{n}.weight", f"gather.norm{n}") for n in range(1, count + 1)]
        gathered = _gather(file, x, names)
    elif kwargs.get("extra_params"):
        side = int(str(kwargs["feat_size"]))
        weight = file.parameter("gather.conv1.weight", channels, 1, side, side)
        border = ((side - 1) // 2,) * 2
        gathered = file.norm("gather.norm1", convolved(weight, x, 1, border, groups=channels))
    elif extent:
        wide = ((2 * extent - 1,) * 2, extent, (extent - 1,) * 2)
        gathered = np.nanmean(windows(x, *wide, fill=np.nan), axis=(4, 5))
        if add_max:
            gathered = (gathered + windows(x, *wide, fill=-np.inf).max((4, 5))) / 2
    else:
        gathered = x.mean((2, 3), keepdims=True)
        if add_max:
            gathered = (gathered + x.max((2, 3), keepdims=True)) / 2
    if hidden is not None:
        gathered = file.conv1("mlp.fc2", relu(file.conv1("mlp.fc1", gathered, hidden)), channels)
    if gathered.shape[2:] != (1, 1):
        gathered = nearest(gathered, size)
    gate = sigmoid(gathered)
    return file.give(output=x * gate, attention__gate=gate)


def ge_block(seed: int, side: int, planes: Size, stride: int, **kwargs: object) -> Original:
    given = {"in_planes": planes[0], "out_planes": planes[1], "stride": stride, **kwargs}
    file = Original("genet", "block", "GEBlock", given, seed, (side, side))
    x, out = file.input(planes[0]), planes[1]
    extent, spatial = int(str(kwargs["extent"])), int(str(kwargs["spatial"]))
    before = relu(file.norm("bn1", x))
    inner = convolved(file.parameter("conv1.weight", out, planes[0], 3, 3), before, stride)
    u = convolved(file.parameter("conv2.weight", out, out, 3, 3), relu(file.norm("bn2", inner)))
    if not kwargs["extra_params"]:
        cells = spatial // extent if extent else 1
        gathered = adaptive(u, (cells, cells))
    elif extent:
        prefixes = ["downop."] if extent == 2 else [f"downop.{n}." for n in range(extent // 4 + 1)]
        gathered = _gather(file, u, [(f"{p}dwconv.weight", f"{p}bn") for p in prefixes])
    else:
        weight = file.parameter("downop.dwconv.weight", out, 1, spatial, spatial)
        gathered = file.norm("downop.bn", convolved(weight, u, padding=(0, 0), groups=out))
    mixed = gathered
    if kwargs["mlp"]:
        mixed = relu(file.conv1("mlp.0", gathered, out // 16, bias=False))
        mixed = file.conv1("mlp.2", mixed, out, bias=False)
    gate = sigmoid(nearest(mixed, (u.shape[2], u.shape[3])))
    short = x
    if planes[0] != out:
        short = convolved(
            file.parameter("convShortcut.weight", out, planes[0], 1, 1), before, stride, (0, 0)
        )
    return file.give(
        output=short + gate * u,
        attention__gate=gate,
        intermediate__gathered=gathered,
        intermediate__pre_attention=u,
    )


# Residual attention.


def _unit(file: Original, prefix: str, x: Array) -> Array:
    channels = x.shape[1]
    inner = file.conv1(f"{prefix}.conv1", relu(file.norm(f"{prefix}.bn1", x)), channels // 4, False)
    inner = relu(file.norm(f"{prefix}.bn2", inner))
    inner = file.conv(f"{prefix}.conv2", inner, channels // 4, 3)
    inner = relu(file.norm(f"{prefix}.bn3", inner))
    file.parameter(f"{prefix}.conv4.weight", channels, channels, 1, 1)
    return x + file.conv1(f"{prefix}.conv3", inner, channels, False)


def _halved(x: Array) -> Array:
    return windows(x, (3, 3), 2, (1, 1), -np.inf).max((4, 5))


def _up(x: Array, like: Array) -> Array:
    return stretched(x, (like.shape[2], like.shape[3]), corners=True)


def attention_module(seed: int, size: Size, channels: int, stage: int) -> Original:
    kwargs: dict[str, object] = {"in_channels": channels, "out_channels": channels}
    file = Original(
        "residual_attention", f"stage{stage}", f"AttentionModule_stage{stage}", kwargs, seed, size
    )
    x = _unit(file, "first_residual_blocks", file.input(channels))
    trunk = _unit(file, "trunk_branches.1", _unit(file, "trunk_branches.0", x))
    depth = 4 - stage
    maps: list[Array] = []
    for level in range(1, depth):
        maps.append(_unit(file, f"softmax{level}_blocks", _halved(maps[-1] if maps else x)))
    h = _halved(maps[-1] if maps else x)
    h = _unit(file, f"softmax{depth}_blocks.0", h)
    h = _unit(file, f"softmax{depth}_blocks.1", h)
    for step, level in enumerate(reversed(range(1, depth)), start=depth + 1):
        same = maps[level - 1]
        skip = _unit(file, f"skip{level}_connection_residual_block", same)
        h = _unit(file, f"softmax{step}_blocks", _up(h, same) + same + skip)
    h, head = _up(h, trunk) + trunk, f"softmax{2 * depth}_blocks"
    h = file.conv1(f"{head}.2", relu(file.norm(f"{head}.0", h)), channels, False)
    h = file.conv1(f"{head}.5", relu(file.norm(f"{head}.3", h)), channels, False)
    mask = sigmoid(h)
    output = _unit(file, "last_blocks", (1 + mask) * trunk)
    file.kwargs |= {f"size{n}": [*like.shape[2:]] for n, like in enumerate([trunk, *maps], start=1)}
    return file.give(output=output, attention__mask=mask, intermediate__trunk=trunk)


# Self-calibrated convolution.


def _calibrated(
    file: Original, prefix: str, x: Array, r: int, stride: int, gap: int, groups: int
) -> tuple[Array, Array, Array, Array]:
    channels, (rows, columns) = x.shape[1], (x.shape[2] // r, x.shape[3] // r)
    shape = (channels, channels // groups, 3, 3)
    whole = x[:, :, : rows * r, : columns * r].reshape(*x.shape[:2], rows, r, columns, r)
    spread = {"padding": (gap, gap), "gap": gap, "groups": groups}

    def conv(name: str, index: int, given: Array, step: int = 1) -> Array:
        weight = file.parameter(f"{prefix}{name}.{index}.weight", *shape)
        return file.norm(f"{prefix}{name}.{index + 1}", convolved(weight, given, step, **spread))

    k2 = conv("k2", 1, whole.mean((3, 5)))
    gate = sigmoid(x + nearest(k2, (x.shape[2], x.shape[3])))
    k3 = conv("k3", 0, x)
    return conv("k4", 0, k3 * gate, stride), gate, k2, k3


def sc_conv(
    seed: int, size: Size, planes: int, r: int, stride: int = 1, gap: int = 1, groups: int = 1
) -> Original:
    kwargs: dict[str, object] = {
        "inplanes": planes, "planes": planes, "stride": stride, "padding": gap, "dilation": gap,
        "groups": groups, "pooling_r": r, "norm_layer": "nn.BatchNorm2d",
    }  # fmt: skip
    file = Original("scnet", "", "SCConv", kwargs, seed, size)
    output, gate, k2, k3 = _calibrated(file, "", file.input(planes), r, stride, gap, groups)
    return file.give(output=output, attention__gate=gate, intermediate__k2=k2, intermediate__k3=k3)


def sc_bottleneck(seed: int, size: Size, planes: int, width: int, **kwargs: object) -> Original:
    """``width`` is that of both branches, as the original's arguments have it."""
    given = {"inplanes": 4 * planes, "planes": planes, **kwargs}
    file = Original("scnet", "bottleneck", "SCBottleneck", given, seed, size)
    x, gap = file.input(4 * planes), int(str(kwargs.get("dilation", 1)))
    groups = int(str(kwargs.get("cardinality", 1)))
    a = relu(file.norm("bn1_a", file.conv1("conv1_a", x, width, False)))
    b = relu(file.norm("bn1_b", file.conv1("conv1_b", x, width, False)))
    weight = file.parameter("k1.0.weight", width, width // groups, 3, 3)
    plain = file.norm("k1.1", convolved(weight, a, 1, (gap, gap), gap, groups))
    calibrated, gate, _, _ = _calibrated(file, "scconv.", b, 4, 1, gap, groups)
    branches = [relu(plain), relu(calibrated)]
    if kwargs.get("avd") and kwargs.get("is_first"):
        branches = [windows(part, (3, 3), 1, (1, 1), 0.0).mean((4, 5)) for part in branches]
    joined = file.conv1("conv3", np.concatenate(branches, axis=1), 4 * planes, False)
    return file.give(output=relu(file.norm("bn3", joined) + x), attention__gate=gate)


# Strip pooling.


def sp_block(seed: int, size: Size, planes: int) -> Original:
    kwargs: dict[str, object] = {"inplanes": planes, "outplanes": planes}
    file = Original("strip_pooling", "", "SPBlock", kwargs, seed, size)
    x = file.input(planes)
    tall = file.parameter("conv1.weight", planes, planes, 3, 1)
    wide = file.parameter("conv2.weight", planes, planes, 1, 3)
    vertical = file.norm("bn1", convolved(tall, x.mean(3, keepdims=True), padding=(1, 0)))
    horizontal = file.norm("bn2", convolved(wide, x.mean(2, keepdims=True), padding=(0, 1)))
    gate = sigmoid(file.conv1("conv3", relu(vertical + horizontal), planes))
    return file.give(
        output=x * gate,
        attention__gate=gate,
        intermediate__vertical=vertical,
        intermediate__horizontal=horizontal,
    )


def mixed_pooling(
    seed: int, size: Size, channels: int, sides: list[int], up_kwargs: object, corners: bool
) -> Original:
    kwargs = {"in_channels": channels, "pool_size": sides, "up_kwargs": up_kwargs}
    file = Original("strip_pooling", "mpm", "StripPooling", kwargs, seed, size)
    x, inner = file.input(channels), channels // 4

    def conv(name: str, given: Array, rows: int = 3, columns: int = 3) -> Array:
        weight = file.parameter(f"{name}.0.weight", inner, given.shape[1], rows, columns)
        made = convolved(weight, given, padding=(rows // 2, columns // 2))
        return file.norm(f"{name}.1", made)

    a, b = relu(conv("conv1_1", x, 1, 1)), relu(conv("conv1_2", x, 1, 1))
    squares = conv("conv2_0", a)
    for index, side in enumerate(sides, start=1):
        grid = conv(f"conv2_{index}", adaptive(a, (side, side)))
        squares = squares + stretched(grid, size, corners)
    across = conv("conv2_3", b.mean(2, keepdims=True), 1, 3)
    down = conv("conv2_4", b.mean(3, keepdims=True), 3, 1)
    pyramid = relu(conv("conv2_5", relu(squares)))
    strip = relu(conv("conv2_6", relu(across + down)))
    joined = file.conv1("conv3.0", np.concatenate([pyramid, strip], axis=1), channels, False)
    output = relu(x + file.norm("conv3.1", joined))
    return file.give(output=output, attention__pyramid=pyramid, attention__strip=strip)


# Triplet attention.


def triplet(seed: int, size: Size, channels: int, no_spatial: bool) -> Original:
    file = Original("triplet", "", "TripletAttention", {"no_spatial": no_spatial}, seed, size)
    x = file.input(channels)
    turned = {"cw": (0, 2, 1, 3), "hc": (0, 3, 2, 1)} | ({} if no_spatial else {"hw": (0, 1, 2, 3)})
    total = np.zeros_like(x)
    for name, order in turned.items():
        z = x.transpose(order)
        summary = np.stack([z.max(1), z.mean(1)], axis=1)
        gate = sigmoid(file.norm(f"{name}.conv.bn", file.conv(f"{name}.conv.conv", summary, 1, 7)))
        total += (z * gate).transpose(order)
        file.give(**{f"attention__{name}": gate, f"intermediate__branch_{name}": z * gate})
    return file.give(output=total / len(turned))
