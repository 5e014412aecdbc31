"""SCNet: a convolution whose result is gated by its input and a coarse view around it.

Idea
    A 3 x 3 convolution sees a small window. Self-calibration lets every place look further: the
    map is made coarse, convolved there, and brought back; together with the place itself this
    decides, for each channel, how much of an ordinary convolution's result is let through.

Equation
    g = sigmoid(x + up(K2(pool_r x))),  y = K4(g * K3(x))
    (paper: section 3.1). K2, K3 and K4 are 3 x 3 convolutions with batch norm and no ReLU:
    ``calibrate.context``, ``transform`` and ``combine``. pool_r takes the mean of r x r cells and
    drops rows and columns that fill none. The gate passes ``calibrate.attention``. As in the
    authors' code, up repeats the nearest cell, where the paper interpolates (``bilinear=True``),
    and the two halves of the bottleneck, one calibrated and one convolved as usual, are 1 x 1
    convolutions of the whole input, where the paper splits the channels.

Reading the map
    One map for each channel, in 0..1: the share of K3(x) that stays. Because x itself is added
    before the sigmoid, the gate follows the feature map in detail, and blocks of r x r cells show
    the coarse view. 0.5 is neutral: nothing said from either.

Limits
    The gate is large where x is large, so a bright gate mostly repeats the feature. K4 mixes
    channels afterwards: muting one does not silence any channel of the output. Where rows or
    columns are left over by the pooling, the coarse view is stretched over them and a little off.
"""

from __future__ import annotations

from inspect import signature
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Claim,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)

Feature = Float[Tensor, "batch channel row column"]


def _conv_norm(
    channels: int, out: int, stride: int = 1, padding: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(out),
    )


class Calibration(AttentionBlock):
    """Scale a feature map by a gate made from another, at each place and around it (section 3.1).

    Args:
        context: K2, the convolution on the coarse map.
        pooled: cells along each side that the coarse map joins to one.
        bilinear: interpolate the coarse map as in the paper; the code repeats its nearest cell.

    Raises:
        ValueError: if ``pooled`` is not positive.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "g = σ(x + up(K₂(poolᵣ x)));  y = g · K₃(x)"

    def __init__(self, context: nn.Module, pooled: int, bilinear: bool = False) -> None:
        super().__init__()
        if pooled < 1:
            raise ValueError(f"expected to pool at least 1 cell, received {pooled}")
        self.context = context
        self.pooled = pooled
        self.mode = "bilinear" if bilinear else "nearest"

    def attention_of(self, transformed: Feature, x: Feature) -> Feature:
        """Return the gate, in 0..1, for every channel and place of ``transformed``."""
        # A map that is smaller than one window is pooled as a whole.
        rows, columns = (min(self.pooled, side) for side in x.shape[2:])
        coarse = self.context(F.avg_pool2d(x, (rows, columns)))
        return (x + F.interpolate(coarse, size=x.shape[2:], mode=self.mode)).sigmoid()

    def apply_attention(self, attention: Feature, transformed: Feature, x: Feature) -> Feature:
        """Return ``transformed`` times the gate."""
        return transformed * attention


class SelfCalibratedConvolution(nn.Module):
    """Return a convolution of x that is calibrated by what is around (Liu et al., section 3.1).

    Args:
        channels: channels of x and of the result.
        pooled: r, the cells along each side that the coarse map joins to one.
        stride: stride of the last convolution.
        padding: of all three convolutions.
        dilation: of all three convolutions.
        groups: of all three convolutions.
        bilinear: interpolate the coarse map as in the paper.
    """

    def __init__(
        self,
        channels: int,
        pooled: int = 4,
        stride: int = 1,
        padding: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bilinear: bool = False,
    ) -> None:
        super().__init__()
        spread = {"padding": padding, "dilation": dilation, "groups": groups}
        self.transform = _conv_norm(channels, channels, **spread)
        context = _conv_norm(channels, channels, **spread)
        self.calibrate = Calibration(context, pooled, bilinear)
        self.combine = _conv_norm(channels, channels, stride=stride, **spread)

    def forward(self, x: Feature) -> Float[Tensor, "batch channel down across"]:
        return self.combine(self.calibrate(self.transform(x), x))


class SelfCalibratedBottleneck(nn.Module):
    """Return x plus what a plain and a self-calibrated branch make of it.

    Args:
        channels: channels of x and of the result.
        inner: channels of each branch.
        stride: of the last convolution of each branch.
        dilation: of all 3 x 3 convolutions.
        groups: of all 3 x 3 convolutions.
        pool_stride: if given, both branches end in a 3 x 3 mean of this stride instead.
    """

    def __init__(
        self,
        channels: int,
        inner: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        pool_stride: int | None = None,
    ) -> None:
        super().__init__()
        self.plain_in = _pointwise(channels, inner)
        self.plain = _conv_norm(inner, inner, stride, dilation, dilation, groups)
        self.calibrated_in = _pointwise(channels, inner)
        self.calibrated = SelfCalibratedConvolution(
            inner, stride=stride, padding=dilation, dilation=dilation, groups=groups
        )
        self.pool = nn.Identity() if pool_stride is None else nn.AvgPool2d(3, pool_stride, 1)
        self.join = _pointwise(2 * inner, channels)

    def forward(self, x: Feature) -> Feature:
        plain = self.plain(F.relu(self.plain_in(x)))
        calibrated = self.calibrated(F.relu(self.calibrated_in(x)))
        both = torch.cat([self.pool(F.relu(plain)), self.pool(F.relu(calibrated))], dim=1)
        return F.relu(self.join(both) + x)


def _pointwise(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))


def _check_norm(norm_layer: str | None) -> None:
    if norm_layer is not None and not norm_layer.endswith("BatchNorm2d"):
        raise ValueError(f"expected a batch norm, received {norm_layer}")


def _convolution(
    variant: str,
    inplanes: int,
    planes: int,
    stride: int,
    padding: int,
    dilation: int,
    groups: int,
    pooling_r: int,
    norm_layer: str | None = None,
) -> SelfCalibratedConvolution:
    _check_norm(norm_layer)
    if inplanes != planes:
        raise ValueError(f"expected as many channels out as in, received {inplanes}, {planes}")
    return SelfCalibratedConvolution(planes, pooling_r, stride, padding, dilation, groups)


def _bottleneck(
    variant: str,
    inplanes: int,
    planes: int,
    stride: int = 1,
    downsample: None = None,
    cardinality: int = 1,
    bottleneck_width: int = 32,
    avd: bool = False,
    dilation: int = 1,
    is_first: bool = False,
    norm_layer: str | None = None,
) -> SelfCalibratedBottleneck:
    _check_norm(norm_layer)
    if downsample is not None or inplanes != 4 * planes:
        raise ValueError(
            "expected a bottleneck with a plain shortcut, whose input has 4 * planes channels, "
            f"received {inplanes} and {planes}"
        )
    inner = int(planes * (bottleneck_width / 64)) * cardinality
    pooled = avd and (stride > 1 or is_first)
    conv_stride, pool_stride = (1, stride) if pooled else (stride, None)
    return SelfCalibratedBottleneck(
        inplanes, inner, conv_stride, dilation, cardinality, pool_stride
    )


def _in_between(channels: int) -> SelfCalibratedBottleneck:
    block = SelfCalibratedBottleneck(channels, channels // 2)
    # The hosts' trunk was trained without the block: it adds nothing at first.
    nn.init.zeros_(block.join.get_submodule("1").get_parameter("weight"))
    return block


def _within(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Return the patterns of one self-calibrated convolution below two prefixes."""
    return (
        # The original's pooling is the first module of k2.
        (rf"^{theirs}k2\.1\.", f"{ours}calibrate.context.0."),
        (rf"^{theirs}k2\.2\.", f"{ours}calibrate.context.1."),
        (rf"^{theirs}k3\.", f"{ours}transform."),
        (rf"^{theirs}k4\.", f"{ours}combine."),
    )


MECHANISM = Mechanism(
    slug="scnet",
    name="Self-calibrated convolution",
    family="channel and spatial",
    goals=(Goal.LONG_RANGE, Goal.CHANNELS),
    paper=Paper(
        title="Improving Convolutional Networks with Self-Calibrated Convolutions",
        authors="Liu, Hou, Cheng, Wang, Feng",
        venue="CVPR",
        year=2020,
    ),
    variants={
        "": lambda channels: SelfCalibratedConvolution(channels, pooled=2),
        "r4": lambda channels: SelfCalibratedConvolution(channels, pooled=4),
        "bilinear": lambda channels: SelfCalibratedConvolution(channels, pooled=2, bilinear=True),
        "bottleneck": lambda channels: SelfCalibratedBottleneck(channels, channels // 4),
    },
    references={
        "SCConv": Reference(
            build=_convolution,
            positional=tuple(signature(_convolution).parameters)[1:],
            attention={"gate": "calibrate"},
            intermediate={"k2": "calibrate.context", "k3": "transform"},
            rename=_within("", ""),
        ),
        "SCBottleneck": Reference(
            build=_bottleneck,
            positional=tuple(signature(_bottleneck).parameters)[1:],
            attention={"gate": "calibrated.calibrate"},
            rename=(
                (r"^conv1_a\.", "plain_in.0."),
                (r"^bn1_a\.", "plain_in.1."),
                (r"^conv1_b\.", "calibrated_in.0."),
                (r"^bn1_b\.", "calibrated_in.1."),
                (r"^k1\.", "plain."),
                *_within(r"scconv\.", "calibrated."),
                (r"^conv3\.", "join.0."),
                (r"^bn3\.", "join.1."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _in_between)},
)
