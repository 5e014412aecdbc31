"""BAM: a branch for channels and a branch for places, joined into one weight for each of both.

Idea
    What matters (channels) and where (places) are found apart, each by a small branch: channels
    from their means, places from convolutions whose holes let them see far. Joined, they amplify
    each channel at each place; nothing is ever made smaller, so the block can stand between the
    stages of a network without closing it.

Equation
    Mc = W2 ReLU(BN(W1 mean(x))),  Ms = conv1 D D ReLU(BN(conv1 x)),  D = ReLU(BN(dilated conv3))
    M = sigmoid(Mc Ms),  y = (1 + M) x   (paper: equations 1 to 4)
    Mc passes ``channel_logit``, Ms passes ``spatial_logit`` and M, one value for each channel at
    each place, the tap ``attention``. The authors' code multiplies Mc and Ms; the paper adds them
    and ends both branches with a batch norm: ``additive=True``. The authors' code also takes the
    means over the left square of a map that is wider than high, and cannot take one that is higher
    than wide: that is a slip, ``left_square=True`` repeats it.

Reading the map
    M is a map for each channel, in 0..1, and says how much is added: at 0 the channel passes as
    it was, at 1 it is doubled. M of every channel is made from the same Ms: a place where Ms is 0
    has M = 1/2 in all channels, and a channel whose Mc is negative lights up where Ms is negative.

Limits
    Multiplied, the two branches lose their own meaning: a bright place may be a match of two
    negative numbers. Since 1 + M is never under 1, the block cannot hide a distractor, only
    amplify what is around it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.goals import Goal
from models.mechanism import (
    AttentionBlock,
    Auxiliary,
    Claim,
    Kind,
    Mechanism,
    Paper,
    Placement,
    Plug,
    Reference,
)
from models.taps import Tap

Feature = Float[Tensor, "batch channel row column"]
REDUCTION = 16
DILATION = 4


def _channel_branch(channels: int, hidden: int, last_norm: bool) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        reduce=nn.Linear(channels, hidden),
        norm=nn.BatchNorm1d(hidden),
        relu=nn.ReLU(),
        expand=nn.Linear(hidden, channels),
    )
    if last_norm:
        layers["last_norm"] = nn.BatchNorm1d(channels)
    return nn.Sequential(layers)


def _spatial_branch(channels: int, hidden: int, dilation: int, last_norm: bool) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        reduce=nn.Conv2d(channels, hidden, kernel_size=1),
        norm=nn.BatchNorm2d(hidden),
        relu=nn.ReLU(),
    )
    for index in range(2):
        layers[f"dilated{index}"] = nn.Conv2d(
            hidden, hidden, kernel_size=3, padding=dilation, dilation=dilation
        )
        layers[f"dilated_norm{index}"] = nn.BatchNorm2d(hidden)
        layers[f"dilated_relu{index}"] = nn.ReLU()
    layers["project"] = nn.Conv2d(hidden, 1, kernel_size=1)
    if last_norm:
        layers["last_norm"] = nn.BatchNorm2d(1)
    return nn.Sequential(layers)


class BottleneckAttention(AttentionBlock):
    """Amplify each channel at each place by a factor in 1..2 (Park et al., eq. 1-4).

    Args:
        channels: channels of x.
        hidden: channels inside both branches; the paper's is channels // 16.
        dilation: how far apart the nine cells of the dilated convolutions are; the paper's is 4.
        additive: add the branches, each behind a batch norm, as the paper does.
        left_square: take channel means over the left square only, as the authors' code does.

    Raises:
        ValueError: if ``hidden`` is not positive.
    """

    kind = Kind.FEATURE_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "M = σ(Mc(mean x) · Ms(x));  y = (1 + M) · x"
    identity = 0.0
    auxiliary: ClassVar[Mapping[str, Auxiliary]] = {
        "channel_logit": Auxiliary(Kind.CHANNEL_GATE, Claim.SIGNED),
        "spatial_logit": Auxiliary(Kind.SPATIAL_GATE, Claim.SIGNED),
    }

    def __init__(
        self,
        channels: int,
        hidden: int,
        dilation: int = DILATION,
        additive: bool = False,
        left_square: bool = False,
    ) -> None:
        super().__init__()
        if hidden < 1:
            raise ValueError(f"expected at least 1 hidden channel, received {hidden}")
        self.additive = additive
        self.left_square = left_square
        self.channel = _channel_branch(channels, hidden, last_norm=additive)
        self.spatial = _spatial_branch(channels, hidden, dilation, last_norm=additive)
        self.channel_logit = Tap()
        self.spatial_logit = Tap()

    def _pooled(self, x: Feature) -> Float[Tensor, "batch channel"]:
        if not self.left_square:
            return x.mean(dim=(2, 3))
        rows, columns = x.shape[2:]
        if not rows <= columns < 2 * rows:
            raise ValueError(
                f"expected a map at least as wide as high and less than twice, received "
                f"{rows} x {columns}"
            )
        return x[:, :, :, :rows].mean(dim=(2, 3))

    def attention_of(self, x: Feature) -> Feature:
        """Return M, in 0..1."""
        channel = self.channel_logit(self.channel(self._pooled(x)))[:, :, None, None]
        spatial = self.spatial_logit(self.spatial(x))
        joined = channel + spatial if self.additive else channel * spatial
        return torch.sigmoid(joined)

    def apply_attention(self, attention: Feature, x: Feature) -> Feature:
        """Return (1 + M) x."""
        return (1 + attention) * x


def _bam(variant: str, gate_channel: int) -> BottleneckAttention:
    return BottleneckAttention(gate_channel, gate_channel // REDUCTION, left_square=True)


def _between_stages(channels: int) -> BottleneckAttention:
    return BottleneckAttention(channels, max(4, channels // REDUCTION))


MECHANISM = Mechanism(
    slug="bam",
    name="BAM bottleneck attention",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="BAM: Bottleneck Attention Module",
        authors="Park, Woo, Lee, Kweon",
        venue="BMVC",
        year=2018,
        arxiv="1807.06514",
    ),
    variants={
        "": lambda channels: BottleneckAttention(channels, max(1, channels // 4)),
        "additive": lambda channels: BottleneckAttention(
            channels, max(1, channels // 4), additive=True
        ),
    },
    references={
        "BAM": Reference(
            build=_bam,
            positional=("gate_channel",),
            attention={
                "channel_logit": "channel_logit",
                "spatial_logit": "spatial_logit",
                "gate": "",
            },
            rename=(
                (r"^channel_att\.gate_c\.gate_c_fc_0\.", "channel.reduce."),
                (r"^channel_att\.gate_c\.gate_c_bn_1\.", "channel.norm."),
                (r"^channel_att\.gate_c\.gate_c_fc_final\.", "channel.expand."),
                (r"^spatial_att\.gate_s\.gate_s_conv_reduce0\.", "spatial.reduce."),
                (r"^spatial_att\.gate_s\.gate_s_bn_reduce0\.", "spatial.norm."),
                (r"^spatial_att\.gate_s\.gate_s_conv_di_(\d)\.", r"spatial.dilated\1."),
                (r"^spatial_att\.gate_s\.gate_s_bn_di_(\d)\.", r"spatial.dilated_norm\1."),
                (r"^spatial_att\.gate_s\.gate_s_conv_final\.", "spatial.project."),
            ),
        ),
    },
    plugs={"classifier": Plug(Placement.ONCE, _between_stages)},
)
