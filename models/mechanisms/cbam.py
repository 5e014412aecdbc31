"""CBAM: first which channels, then which places.

Idea
    Two small gates in sequence. The channel gate asks what is meaningful: it looks at the mean
    and the maximum of every channel. The spatial gate asks where: it looks at the mean and the
    maximum over channels at every place, through one 7 x 7 convolution.

Equation
    Mc = sigmoid(MLP(avg x) + MLP(max x)),  x' = Mc x
    Ms = sigmoid(BN(conv7x7([max over channels of x' ; mean over channels of x']))),  y = Ms x'
    (paper: equations 1, 2 and 3). Mc passes ``channel_gate.attention``, Ms passes
    ``spatial_gate.attention``. The batch norm and the order maximum-then-mean are the authors'
    code; the paper's equation 3 has neither norm nor this order. The MLP's biases count twice,
    once for each summand.
    The paper compares this order with two others (table 3), which are here too: space first,
    x' = Ms x and then y = Mc x', and in parallel, where both gates are made from x itself and
    y = Ms Mc x. How two parallel gates are joined the paper does not say; here they multiply, as
    in the other two.

Reading the map
    The bars say how much of each channel is let through, the map how much of each place, both in
    0..1. The two multiply: a bright place still shows nothing of a muted channel. Of a channel's
    activation, red adds to what passes by the block and blue takes away from it: an open place is
    one where the block has its say, not one that is made stronger.

Limits
    The spatial gate is one number a place for all channels, so it cannot favour an edge in one
    channel and a texture in another at the same place. Its window is 7 cells: it knows nothing of
    the picture as a whole. Batch norm makes its overall level depend on the training data. The
    most open channel may be one that holds next to nothing in this picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

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

POOLS = {
    "avg": lambda x: x.mean(dim=(2, 3)),
    "max": lambda x: x.amax(dim=(2, 3)),
    "lp": lambda x: x.pow(2).sum(dim=(2, 3)).sqrt(),
    "lse": lambda x: x.flatten(2).logsumexp(dim=2),
}
"""The channel summaries of the authors' code, by their names there."""


class Order(Enum):
    """Which gate of CBAM sees x first (Woo et al., table 3)."""

    CHANNEL_FIRST = "channel-first"
    """the paper's choice: the spatial gate is made from what the channel gate let through"""
    SPACE_FIRST = "space-first"
    """the channel gate is made from what the spatial gate let through"""
    PARALLEL = "parallel"
    """both are made from x"""


class ChannelAttentionModule(AttentionBlock):
    """Scale each channel by a gate made from its pooled values (Woo et al., eq. 2).

    Args:
        channels: channels of x.
        hidden: width of the shared MLP; the paper's is channels // 16.
        pools: summaries of a channel, from ``POOLS``; the paper's are "avg" and "max".

    Raises:
        ValueError: if a pool is unknown or none is given.
    """

    kind = Kind.CHANNEL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "Mc = σ(MLP(avg x) + MLP(max x));  y = Mc · x"

    def __init__(self, channels: int, hidden: int, pools: Sequence[str] = ("avg", "max")) -> None:
        super().__init__()
        if not pools or any(pool not in POOLS for pool in pools):
            raise ValueError(f"expected pools from {sorted(POOLS)}, received {list(pools)}")
        self.pools = tuple(pools)
        self.reduce = nn.Linear(channels, hidden)
        self.expand = nn.Linear(hidden, channels)

    def attention_of(self, x: Feature) -> Float[Tensor, "batch channel"]:
        """Return the gate Mc, in 0..1."""
        summaries = (self.expand(self.reduce(POOLS[pool](x)).relu()) for pool in self.pools)
        return torch.stack(list(summaries)).sum(dim=0).sigmoid()

    def apply_attention(self, attention: Float[Tensor, "batch channel"], x: Feature) -> Feature:
        """Return x with each channel scaled by its gate."""
        return x * attention[:, :, None, None]


class SpatialAttentionModule(AttentionBlock):
    """Scale each place by a gate made from the channels' maximum and mean there (eq. 3).

    It may look at another map of the same places than the one that it scales: ``gate(x, seen)``.
    """

    kind = Kind.SPATIAL_GATE
    claim = Claim.UNIT
    formula: ClassVar[str] = "Ms = σ(BN(conv7×7[max x ; mean x]));  y = Ms · x"

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def attention_of(
        self, x: Feature, seen: Feature | None = None
    ) -> Float[Tensor, "batch 1 row column"]:
        """Return the gate Ms, in 0..1."""
        seen = x if seen is None else seen
        summary = torch.stack([seen.amax(dim=1), seen.mean(dim=1)], dim=1)
        return self.norm(self.conv(summary)).sigmoid()

    def apply_attention(
        self,
        attention: Float[Tensor, "batch 1 row column"],
        x: Feature,
        seen: Feature | None = None,
    ) -> Feature:
        """Return x with each place scaled by its gate."""
        return x * attention


class CBAM(nn.Module):
    """Channel gate, then spatial gate (Woo et al., eq. 1), or both in another order.

    Args:
        channels: channels of x.
        hidden: width of the channel gate's MLP.
        pools: the channel gate's summaries.
        spatial: whether there is a spatial gate.
        order: which gate sees x first; the paper's is the channel gate.
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        pools: Sequence[str] = ("avg", "max"),
        spatial: bool = True,
        order: Order = Order.CHANNEL_FIRST,
    ) -> None:
        super().__init__()
        self.order = order
        self.channel_gate = ChannelAttentionModule(channels, hidden, pools)
        self.spatial_gate = SpatialAttentionModule() if spatial else None

    def forward(self, x: Feature) -> Feature:
        if self.spatial_gate is None:
            return self.channel_gate(x)
        if self.order is Order.SPACE_FIRST:
            return self.channel_gate(self.spatial_gate(x))
        seen = (x,) if self.order is Order.PARALLEL else ()
        return self.spatial_gate(self.channel_gate(x), *seen)


def _channel(
    variant: str,
    gate_channels: int,
    reduction_ratio: int = 16,
    pool_types: Sequence[str] = ("avg", "max"),
) -> ChannelAttentionModule:
    return ChannelAttentionModule(gate_channels, gate_channels // reduction_ratio, pool_types)


def _cbam(
    variant: str,
    gate_channels: int,
    reduction_ratio: int = 16,
    pool_types: Sequence[str] = ("avg", "max"),
    no_spatial: bool = False,
) -> CBAM:
    hidden = gate_channels // reduction_ratio
    return CBAM(gate_channels, hidden, pool_types, spatial=not no_spatial)


def _in_residual_branch(channels: int, order: Order = Order.CHANNEL_FIRST) -> CBAM:
    block = CBAM(channels, max(8, channels // 8), order=order)
    # The hosts' trunk was trained without gates: both open at first.
    nn.init.constant_(block.channel_gate.expand.bias, 1.0)
    if block.spatial_gate is not None:
        nn.init.constant_(block.spatial_gate.norm.bias, 2.0)
    return block


_MLP = ((r"^(ChannelGate\.)?mlp\.1\.", "channel_gate.reduce."),
        (r"^(ChannelGate\.)?mlp\.3\.", "channel_gate.expand."))  # fmt: skip
_SPATIAL = ((r"^(SpatialGate\.)?spatial\.conv\.", "spatial_gate.conv."),
            (r"^(SpatialGate\.)?spatial\.bn\.", "spatial_gate.norm."))  # fmt: skip


def _alone(rename: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(pattern, name.split(".", 1)[1]) for pattern, name in rename]


MECHANISM = Mechanism(
    slug="cbam",
    name="CBAM",
    family="channel and spatial",
    goals=(Goal.REGIONS, Goal.CHANNELS),
    paper=Paper(
        title="CBAM: Convolutional Block Attention Module",
        authors="Woo, Park, Lee, Kweon",
        venue="ECCV",
        year=2018,
        arxiv="1807.06521",
    ),
    variants={
        "": lambda channels: CBAM(channels, max(1, channels // 4)),
        "channel": lambda channels: ChannelAttentionModule(channels, max(1, channels // 4)),
        "spatial": lambda channels: SpatialAttentionModule(),
        "space_first": lambda channels: CBAM(
            channels, max(1, channels // 4), order=Order.SPACE_FIRST
        ),
        "parallel": lambda channels: CBAM(channels, max(1, channels // 4), order=Order.PARALLEL),
    },
    references={
        "CBAM": Reference(
            build=_cbam,
            positional=("gate_channels", "reduction_ratio", "pool_types", "no_spatial"),
            attention={"channel": "channel_gate", "spatial": "spatial_gate"},
            rename=_MLP + _SPATIAL,
        ),
        "ChannelGate": Reference(
            build=_channel,
            positional=("gate_channels", "reduction_ratio", "pool_types"),
            attention={"channel": ""},
            rename=_alone(_MLP),
        ),
        "SpatialGate": Reference(
            build=lambda variant: SpatialAttentionModule(),
            positional=(),
            attention={"spatial": ""},
            rename=_alone(_SPATIAL),
        ),
    },
    plugs={"classifier": Plug(Placement.EVERY_RESIDUAL, _in_residual_branch)},
    forms={
        "classifier": {
            order.value: Plug(Placement.EVERY_RESIDUAL, partial(_in_residual_branch, order=order))
            for order in (Order.SPACE_FIRST, Order.PARALLEL)
        }
    },
)
