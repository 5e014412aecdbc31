"""Plain numpy versions of the original modules, written from the equations, to make more files.

They share no code with ``models``: whole matrices, explicit sums, double precision. Each function
draws its parameters, names them as the original state_dict does and returns what a reference file
holds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

Array = np.ndarray


@dataclass
class Original:
    """A reference file in the making: parameters drawn so far, and later inputs and results."""

    mechanism: str
    variant: str
    class_name: str
    kwargs: dict[str, object]
    seed: int
    size: tuple[int, int]
    tensors: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def draw(self, *shape: int, scale: float = 0.4) -> Array:
        # Rounded as the file will hold them, so that both sides compute with the same numbers.
        return (self.rng.normal(size=shape) * scale).astype(np.float32).astype(np.float64)

    def parameter(self, name: str, *shape: int) -> Array:
        self.tensors[f"param.{name}"] = value = self.draw(*shape)
        return value

    def input(self, channels: int, batch: int = 2) -> Array:
        self.tensors["input"] = value = self.draw(batch, channels, *self.size, scale=0.8)
        return value

    def norm(self, name: str, x: Array, eps: float = 1e-5) -> Array:
        channels = x.shape[1]
        weight, bias, mean = (
            self.parameter(f"{name}.{part}", channels)
            for part in ("weight", "bias", "running_mean")
        )
        variance = (np.abs(self.draw(channels)) + 0.5).astype(np.float32).astype(np.float64)
        self.tensors[f"param.{name}.running_var"] = variance
        self.tensors[f"param.{name}.num_batches_tracked"] = np.zeros((), np.int64)
        weight, bias, mean, variance = (v[:, None, None] for v in (weight, bias, mean, variance))
        return (x - mean) / np.sqrt(variance + eps) * weight + bias

    def conv1(self, name: str, x: Array, out: int, bias: bool = True) -> Array:
        weight = self.parameter(f"{name}.weight", out, x.shape[1], 1, 1)[:, :, 0, 0]
        y = np.einsum("oc,bchw->bohw", weight, x)
        return y + self.parameter(f"{name}.bias", out)[:, None, None] if bias else y

    def conv(self, name: str, x: Array, out: int, kernel: int) -> Array:
        weight = self.parameter(f"{name}.weight", out, x.shape[1], kernel, kernel)
        pad = kernel // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
        return np.einsum("ocij,bchwij->bohw", weight, windows)

    def give(self, **named: Array) -> Original:
        for name, value in named.items():
            self.tensors[name.replace("__", ".")] = value
        return self

    def write(self, folder: Path, **metadata: str) -> Path:
        slug = "__".join(filter(None, (self.mechanism, self.variant)))
        facts = {
            "slug": slug,
            "mechanism": self.mechanism,
            "variant": self.variant,
            "class": self.class_name,
            "kwargs": json.dumps(self.kwargs),
        }
        # Some files name lines of code and not a class: the first word will do.
        class_name = self.class_name.split()[0].replace("/", "_")
        path = folder / f"{slug}__{class_name}_{self.seed}.safetensors"
        stored = {
            k: np.asarray(v if v.dtype == np.int64 else v.astype(np.float32), order="C")
            for k, v in self.tensors.items()
        }
        save_file(stored, path, metadata=facts | metadata)
        return path


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def pooled(x: Array) -> Array:
    """2 x 2 maxima; an odd last row or column is left out."""
    rows, columns = x.shape[2] // 2, x.shape[3] // 2
    return x[:, :, : 2 * rows, : 2 * columns].reshape(*x.shape[:2], rows, 2, columns, 2).max((3, 5))


def flat(x: Array) -> Array:
    return x.reshape(*x.shape[:2], -1)


def se_layer(
    seed: int, size: tuple[int, int], channel: int, reduction: int | None = 16
) -> Original:
    kwargs: dict[str, object] = {"channel": channel}
    if reduction is not None:
        kwargs["reduction"] = reduction
    file = Original("se", "", "SELayer", kwargs, seed, size)
    x = file.input(channel)
    hidden = channel // (reduction or 16)
    w1 = file.parameter("fc.0.weight", hidden, channel)
    w2 = file.parameter("fc.2.weight", channel, hidden)
    gate = sigmoid(relu(x.mean((2, 3)) @ w1.T) @ w2.T)
    return file.give(output=x * gate[:, :, None, None], attention__channel=gate)


def se_module(
    seed: int, size: tuple[int, int], hidden: int, channels: int, **options: object
) -> Original:
    """``hidden`` is what the original's rounding gives, worked out by hand in the test."""
    bias, add_max = options.get("bias", True), options.get("add_maxpool", False)
    file = Original("se", "bias", "SEModule", {"args": [channels], **options}, seed, size)
    x = file.input(channels)
    squeezed = x.mean((2, 3), keepdims=True)
    if add_max:
        squeezed = 0.5 * squeezed + 0.5 * x.max((2, 3), keepdims=True)
    inner = relu(file.conv1("fc1", squeezed, hidden, bool(bias)))
    gate = sigmoid(file.conv1("fc2", inner, channels, bool(bias)))
    return file.give(output=x * gate, attention__channel=gate[:, :, 0, 0])


_POOLS = {
    "avg": lambda x: x.mean((2, 3)),
    "max": lambda x: x.max((2, 3)),
    "lp": lambda x: np.sqrt((x**2).sum((2, 3))),
    "lse": lambda x: np.log(np.exp(x).sum((2, 3))),
}


def _channel_gate(
    file: Original, prefix: str, x: Array, hidden: int, pools: Sequence[str]
) -> Array:
    channels = x.shape[1]
    w1, b1 = (
        file.parameter(f"{prefix}mlp.1.weight", hidden, channels),
        file.parameter(f"{prefix}mlp.1.bias", hidden),
    )
    w2, b2 = (
        file.parameter(f"{prefix}mlp.3.weight", channels, hidden),
        file.parameter(f"{prefix}mlp.3.bias", channels),
    )
    return sigmoid(sum(relu(_POOLS[pool](x) @ w1.T + b1) @ w2.T + b2 for pool in pools))


def _spatial_gate(file: Original, prefix: str, x: Array) -> Array:
    summary = np.stack([x.max(1), x.mean(1)], axis=1)
    return sigmoid(
        file.norm(f"{prefix}spatial.bn", file.conv(f"{prefix}spatial.conv", summary, 1, 7))
    )


def cbam(
    seed: int,
    size: tuple[int, int],
    channels: int,
    ratio: int,
    pools: Sequence[str] = ("avg", "max"),
    no_spatial: bool = False,
) -> Original:
    kwargs = {"args": [channels, ratio], "pool_types": list(pools), "no_spatial": no_spatial}
    file = Original("cbam", "", "CBAM", kwargs, seed, size)
    x = file.input(channels)
    channel = _channel_gate(file, "ChannelGate.", x, channels // ratio, pools)
    y = x * channel[:, :, None, None]
    if no_spatial:
        return file.give(output=y, attention__channel=channel)
    spatial = _spatial_gate(file, "SpatialGate.", y)
    return file.give(output=y * spatial, attention__channel=channel, attention__spatial=spatial)


def channel_gate(
    seed: int, size: tuple[int, int], channels: int, ratio: int, pools: Sequence[str]
) -> Original:
    kwargs = {"gate_channels": channels, "reduction_ratio": ratio, "pool_types": list(pools)}
    file = Original("cbam", "channel", "ChannelGate", kwargs, seed, size)
    x = file.input(channels)
    gate = _channel_gate(file, "", x, channels // ratio, pools)
    return file.give(output=x * gate[:, :, None, None], attention__channel=gate)


def spatial_gate(seed: int, size: tuple[int, int], channels: int) -> Original:
    file = Original("cbam", "spatial", "SpatialGate", {}, seed, size)
    x = file.input(channels)
    gate = _spatial_gate(file, "", x)
    return file.give(output=x * gate, attention__spatial=gate)


def _weights(
    file: Original, function: str, theta: Array, phi: Array, scale: float, name: str
) -> Array:
    """The whole matrix of one pairwise function, pair by pair for the concatenation."""
    query, key = flat(theta), flat(phi)
    if function == "concatenation":
        dim = query.shape[1]
        w = file.parameter(name, 1, 2 * dim, 1, 1)[0, :, 0, 0]
        pairs = np.concatenate(
            [
                np.broadcast_to(query[:, :, :, None], (*query.shape, key.shape[2])),
                np.broadcast_to(key[:, :, None, :], (*query.shape, key.shape[2])),
            ],
            axis=1,
        )
        return relu(np.einsum("c,bcij->bij", w, pairs)) / key.shape[2]
    logits = np.einsum("bci,bcj->bij", query, key) * scale
    return logits / key.shape[2] if function == "dot_product" else softmax(logits)


def non_local(
    seed: int,
    size: tuple[int, int],
    function: str,
    channels: int,
    inner: int | None = None,
    sub_sample: bool = False,
    bn_layer: bool = True,
) -> Original:
    suffix = "__sub_sample" if sub_sample else ""
    kwargs = {
        "in_channels": channels,
        "inter_channels": inner,
        "sub_sample": sub_sample,
        "bn_layer": bn_layer,
    }
    file = Original("nonlocal", function + suffix, "NONLocalBlock2D", kwargs, seed, size)
    x, width, dot = file.input(channels), inner or max(1, channels // 2), ".0" if sub_sample else ""
    pool = pooled if sub_sample else (lambda y: y)
    value = flat(pool(file.conv1(f"g{dot}", x, width)))
    theta, phi = x, pool(x)
    if function != "gaussian":
        theta, phi = file.conv1("theta", x, width), pool(file.conv1(f"phi{dot}", x, width))
    affinity = _weights(file, function, theta, phi, 1.0, "concat_project.0.weight")
    y = np.einsum("bij,bcj->bci", affinity, value).reshape(2, width, *size)
    out = file.conv1("W.0" if bn_layer else "W", y, channels)
    out = file.norm("W.1", out) if bn_layer else out
    return file.give(output=out + x, attention__affinity=affinity)


def mm_non_local(
    seed: int,
    size: tuple[int, int],
    mode: str,
    channels: int,
    reduction: int = 2,
    use_scale: bool = True,
    norm: dict[str, object] | None = None,
    sub_sample: bool = False,
) -> Original:
    kwargs = {
        "args": [channels, sub_sample],
        "reduction": reduction,
        "use_scale": use_scale,
        "norm_cfg": norm,
        "mode": mode,
        "zeros_init": False,
    }
    file = Original("nonlocal", mode, "NonLocal2d", kwargs, seed, size)
    x, width, dot = file.input(channels), max(1, channels // reduction), ".0" if sub_sample else ""
    pool = pooled if sub_sample else (lambda y: y)
    value = flat(pool(file.conv1(f"g{dot}.conv", x, width)))
    theta, phi = x, pool(x)
    if mode != "gaussian":
        theta = file.conv1("theta.conv", x, width)
        phi = pool(file.conv1(f"phi{dot}.conv", x, width))
    scale = width**-0.5 if use_scale and mode == "embedded_gaussian" else 1.0
    affinity = _weights(file, mode, theta, phi, scale, "concat_project.conv.weight")
    y = np.einsum("bij,bcj->bci", affinity, value).reshape(2, width, *size)
    out = file.conv1("conv_out.conv", y, channels, bias=norm is None)
    if norm is not None:
        out = file.norm("conv_out.bn", out, float(str(norm.get("eps", 1e-5))))
    return file.give(output=out + x, attention__affinity=affinity)


def _position(file: Original, prefix: str, x: Array) -> tuple[Array, Array]:
    query, key = (
        flat(file.conv1(f"{prefix}{name}_conv", x, x.shape[1] // 8)) for name in ("query", "key")
    )
    value = flat(file.conv1(f"{prefix}value_conv", x, x.shape[1]))
    affinity = softmax(np.einsum("bci,bcj->bij", query, key))
    gathered = np.einsum("bcj,bij->bci", value, affinity).reshape(x.shape)
    return file.parameter(f"{prefix}gamma", 1) * gathered + x, affinity


def _channel(file: Original, prefix: str, x: Array) -> tuple[Array, Array]:
    energy = np.einsum("bin,bjn->bij", flat(x), flat(x))
    affinity = softmax(energy.max(-1, keepdims=True) - energy)
    mixed = np.einsum("bij,bjn->bin", affinity, flat(x)).reshape(x.shape)
    return file.parameter(f"{prefix}gamma", 1) * mixed + x, affinity


def danet_position(seed: int, size: tuple[int, int], channels: int) -> Original:
    file = Original("danet", "position", "PAM_Module", {"in_dim": channels}, seed, size)
    output, affinity = _position(file, "", file.input(channels))
    return file.give(output=output, attention__affinity=affinity)


def danet_channel(seed: int, size: tuple[int, int], channels: int) -> Original:
    file = Original("danet", "channel", "CAM_Module", {"args": [channels]}, seed, size)
    output, affinity = _channel(file, "", file.input(channels))
    return file.give(output=output, attention__affinity=affinity)


def danet_head(seed: int, size: tuple[int, int], channels: int, classes: int) -> Original:
    kwargs: dict[str, object] = {
        "in_channels": channels,
        "out_channels": classes,
        "norm_layer": "nn.BatchNorm2d",
    }
    file = Original("danet", "head", "DANetHead", kwargs, seed, size)
    x, inner = file.input(channels), channels // 4
    into = [
        relu(file.norm(f"{name}.1", file.conv(f"{name}.0", x, inner, 3)))
        for name in ("conv5a", "conv5c")
    ]
    position, place_affinity = _position(file, "sa.", into[0])
    channel, channel_affinity = _channel(file, "sc.", into[1])
    p, c = (
        relu(file.norm(f"{name}.1", file.conv(f"{name}.0", y, inner, 3)))
        for name, y in (("conv51", position), ("conv52", channel))
    )
    outputs = {
        f"output__{index}": file.conv1(f"{name}.1", y, classes)
        for index, (name, y) in enumerate((("conv8", p + c), ("conv6", p), ("conv7", c)))
    }
    return file.give(
        **outputs, attention__position=place_affinity, attention__channel=channel_affinity
    )
